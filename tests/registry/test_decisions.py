"""Who agrees to a promotion, what history tells, and who may serve."""

from __future__ import annotations

import pytest
from worlds.registry import NAME

from tasks.common.errors import RegistryError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import account, decisions, ledger, person
from tasks.registry.gate import gate
from tasks.registry.promotion import Said, promote, roll_back
from tasks.registry.store import connect

APPROVERS = ["ada", "grace"]


@pytest.fixture
def two(champion):
    """Version 1 is champion, version 2 passed."""
    gate(load(Params))
    return connect()


def test_a_promotion_needs_one_of_the_approvers(two):
    with pytest.raises(RegistryError, match=r"nobody of gate.approvers \(ada, grace\)"):
        promote(NAME, 2, approvers=APPROVERS)
    decisions.approve(NAME, 2, Said("grace", "looked at it"), APPROVERS)
    assert promote(NAME, 2, approvers=APPROVERS) == 2
    assert roll_back(NAME, approvers=APPROVERS) == 1  # it has served


def test_who_is_not_listed_or_started_the_training_cannot_approve(two):
    with pytest.raises(RegistryError, match=r"gate.approvers \(ada, grace\); received: eve"):
        decisions.approve(NAME, 2, Said("eve"), APPROVERS)
    with pytest.raises(RegistryError, match="another than who started the training"):
        decisions.approve(NAME, 2, Said(person.user()), [person.user()])
    assert ledger.read()[-1].kind == "passed"


def test_an_approval_is_of_one_verdict(two):
    decisions.approve(NAME, 2, Said("ada"), APPROVERS)
    verdict = ledger.read()[1]
    ledger.append("passed", *verdict.identity, verdict.facts)
    with pytest.raises(RegistryError, match="nobody of gate"):
        promote(NAME, 2, approvers=APPROVERS)


def test_history_tells_who_served_when_and_why(two):
    promote(NAME, 2, Said("ada", "better on the ward"))
    roll_back(NAME, Said("grace", "it was not"))
    lines = account.history(NAME).splitlines()
    entries = ledger.read()
    times = [entry.time for entry in entries if entry.kind in ledger.CROWNED]
    assert lines[:5] == [
        "Champions",
        f"  version 1    {times[0]} to {times[1]}",
        f"  version 2    {times[1]} to {times[2]}",
        f"  version 1    {times[2]} to today",
        "Entries",
    ]
    rows = [line for line in lines[5:] if not line.startswith("    ")]
    assert len(rows) == len(entries)
    assert rows[3] == f"  {times[1]}  version 2    promoted | by: ada | reason: better on the ward"
    assert "rolled back to | by: grace | reason: it was not" in rows[-1]
    first = lines.index(rows[0]) + 1
    told = entries[0].facts["reasons"]
    assert lines[first : first + len(told)] == [f"      - {reason}" for reason in told]
    assert account.history("another") == "nothing about another yet"
