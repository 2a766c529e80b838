import json
import multiprocessing
import socket

import pytest

from tasks.common.errors import RegistryError
from tasks.registry import ledger

ABOUT = ("medloop", 1, "digest")


def fill(count):
    for number in range(count):
        ledger.append("failed", "medloop", number, "digest", {"reasons": [str(number)]})


def lines():
    return ledger.path().read_text().splitlines()


def rewrite(changed):
    ledger.path().write_text("".join(f"{line}\n" for line in changed))


def test_an_absent_ledger_is_empty(workspace):
    assert ledger.read() == []


def test_entries_come_back_in_order_and_chained(workspace):
    fill(3)
    entries = ledger.read()
    assert [entry.version for entry in entries] == [0, 1, 2]
    assert [entry.previous for entry in entries[1:]] == [entry.hash for entry in entries[:2]]


@pytest.mark.parametrize(
    ("tamper", "line"),
    [
        (lambda ls: [ls[0], ls[1].replace('"failed"', '"passed"'), ls[2]], 2),
        (lambda ls: [ls[0], ls[2]], 2),
        (lambda ls: [ls[1], ls[0], ls[2]], 1),
        (lambda ls: [ls[0], ls[1], ls[1], ls[2]], 3),
        (lambda ls: [*ls, ls[2][:40]], 4),
        (lambda ls: [*ls, "[]"], 4),
    ],
    ids=["edited", "removed", "swapped", "doubled", "torn", "no entry"],
)
def test_a_broken_chain_is_found_and_the_line_named(workspace, tamper, line):
    fill(3)
    rewrite(tamper(lines()))
    with pytest.raises(RegistryError, match=f"line {line} of"):
        ledger.read()
    with pytest.raises(RegistryError, match=f"line {line} of"):
        fill(1)


def test_an_edited_entry_with_a_new_hash_breaks_the_next_line(workspace):
    fill(3)
    values = json.loads(lines()[1]) | {"kind": "passed"}
    values.pop("hash")
    forged = json.dumps(values | {"hash": ledger.Entry(**values).hash})
    rewrite([lines()[0], forged, lines()[2]])
    with pytest.raises(RegistryError, match="line 3 of"):
        ledger.read()


def test_writers_at_once_lose_nothing(workspace):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=fill, args=(5,)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(ledger.read()) == 20


def test_who_waits_says_for_whom(workspace, capsys):
    context = multiprocessing.get_context("fork")
    held, never = context.Event(), context.Event()

    def hold():
        with ledger.locked("the gate"):
            held.set()
            never.wait(0.5)
            fill(1)

    other = context.Process(target=hold)
    other.start()
    held.wait()
    with ledger.locked("a promotion"):
        assert len(ledger.read()) == 1
    told = f"Waiting for the gate, process {other.pid} on {socket.gethostname()} ...\n"
    assert capsys.readouterr().out == told
    other.join()


def test_a_promotion_is_unsettled_until_its_outcome_is_entered(workspace):
    ledger.append("promoted", *ABOUT, {"champion": None})  # as old ledgers have it
    assert ledger.unsettled(ledger.read(), "medloop") is None
    intent = ledger.append("promoting", *ABOUT, {"champion": None})
    ledger.append("promoting", "another", 1, "digest", {})
    assert ledger.unsettled(ledger.read(), "medloop") == intent
    assert ledger.champion(ledger.read(), "another") is None
    ledger.append("abandoned", *ABOUT, {"intent": intent.hash})
    assert ledger.unsettled(ledger.read(), "medloop") is None


def test_the_newest_verdict_on_a_version_counts(workspace):
    ledger.append("first", *ABOUT, {})
    ledger.append("failed", *ABOUT, {})
    ledger.append("promoted", *ABOUT, {})
    ledger.append("passed", "medloop", 2, "digest", {})
    verdict = ledger.verdict(ledger.read(), *ABOUT)
    assert verdict is not None
    assert verdict.kind == "failed"
    assert ledger.verdict(ledger.read(), "medloop", 1, "another digest") is None
