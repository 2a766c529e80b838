"""An alias that was moved in the browser is entered, or put back."""

from __future__ import annotations

from shutil import rmtree

import pytest
from worlds.registry import NAME, aliases, kinds, new_model

from tasks.common import champion as quick
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import decisions, ledger, model_versions, promotion
from tasks.registry.gate import gate
from tasks.registry.promotion import Said, promote
from tasks.registry.store import connect
from tasks.registry.watching import watch

JUDGED = [("first", 1), ("passed", 2)]


@pytest.fixture
def client(champion, quality):
    """Version 1 is champion, 2 passed, 3 failed."""
    gate(load(Params))
    quality[3] = 0.0
    new_model(3)
    gate(load(Params))
    return connect()


def in_the_browser(client, version):
    client.set_registered_model_alias(NAME, "champion", str(version))


def test_a_promotion_in_the_browser_is_entered(client, capsys):
    in_the_browser(client, 2)
    assert quick.differs(NAME)
    watch(NAME, [])
    assert not quick.differs(NAME)
    assert kinds() == [*JUDGED, ("failed", 3), ("promoted", 2)]
    assert ledger.read()[-1].facts["champion"] == 1
    assert "does not tell by whom" in ledger.read()[-1].facts["where"]
    watch(NAME, [])
    assert len(ledger.read()) == 4
    assert "was promoted in MLflow: entered" in capsys.readouterr().out


def test_what_did_not_pass_loses_the_alias_and_is_told_why(client, capsys):
    in_the_browser(client, 3)
    watch(NAME, [])
    assert aliases(client)["champion"] == 1
    assert kinds()[-1] == ("refused", 3)
    why = client.get_model_version(NAME, "3").tags["promotion.refused"]
    assert why.startswith("it failed: AUROC 0.")
    assert "given back to version 1\n" in capsys.readouterr().out
    assert not quick.differs(NAME)


def test_what_was_too_small_to_judge_needs_a_reason_and_then_may_serve(client, capsys):
    digest = client.get_model_version(NAME, "2").tags[model_versions.PACKAGE]
    ledger.append("undecided", NAME, 2, digest, {"reasons": ["few patients"]})
    in_the_browser(client, 2)
    watch(NAME, [])
    assert aliases(client)["champion"] == 1
    assert "needs a --reason: few patients" in capsys.readouterr().out
    promote(NAME, 2, Said("ada", "the only one for the new scanner"))
    assert ledger.read()[-1].facts["reason"] == "the only one for the new scanner"
    in_the_browser(client, 1)
    watch(NAME, [])
    in_the_browser(client, 2)  # it has served, so it may again
    watch(NAME, [])
    assert aliases(client)["champion"] == 2


def test_without_an_approval_the_alias_is_put_back(client, capsys):
    in_the_browser(client, 2)
    watch(NAME, ["ada"])
    assert aliases(client)["champion"] == 1
    assert "nobody of gate.approvers (ada) has approved it" in capsys.readouterr().out
    decisions.approve(NAME, 2, Said("ada"), ["ada"])
    in_the_browser(client, 2)
    watch(NAME, ["ada"])
    assert aliases(client)["champion"] == 2


@pytest.mark.slow
def test_files_that_are_gone_do_not_serve(client, files_of):
    rmtree(files_of(2))
    in_the_browser(client, 2)
    watch(NAME, [])
    assert aliases(client)["champion"] == 1
    assert "the files of medloop version 2" in ledger.read()[-1].facts["reasons"][0]


@pytest.mark.slow
def test_where_nothing_ever_passed_the_alias_is_taken_away(result, store, quality):
    quality[1] = 0.0
    new_model(1)
    gate(load(Params))
    in_the_browser(store.client, 1)
    watch(NAME, [])
    assert aliases(store.client) == {}


def test_gate_and_promotion_look_first(client):
    in_the_browser(client, 3)
    promote(NAME, 2)
    assert kinds()[3:] == [("refused", 3), ("promoting", 2), ("promoted", 2)]
    assert ledger.read()[-1].facts["champion"] == 1


@pytest.mark.slow
def test_a_rollback_goes_back_as_often_as_there_were_champions(client):
    new_model(4)
    gate(load(Params))
    promote(NAME, 2)
    promote(NAME, 4)
    assert [promotion.roll_back(NAME), promotion.roll_back(NAME)] == [2, 1]
    with pytest.raises(Exception, match="a champion before the one of today; received: none"):
        promotion.roll_back(NAME)
    assert aliases(client)["champion"] == 1
