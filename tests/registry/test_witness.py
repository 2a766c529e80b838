"""What is cut off or written anew is found wherever a copy of the head lies outside."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from worlds.registry import NAME

from tasks.common.errors import RegistryError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import account, ledger, witness
from tasks.registry.gate import gate
from tasks.registry.promotion import promote


def write(entries):
    lines = (json.dumps(asdict(e) | {"hash": e.hash}) for e in entries)
    ledger.path().write_text("".join(f"{line}\n" for line in lines))


def cut():
    write(ledger.read()[:-1])


def empty():
    ledger.path().write_text("")


def remove():
    ledger.path().unlink()


def forge():
    """The whole chain anew, of which one entry says something else."""
    previous, forged = ledger.START, []
    for entry in ledger.read():
        kind = "passed" if entry.kind == "failed" else entry.kind
        forged.append(replace(entry, kind=kind, facts=entry.facts | {"a": 1}, previous=previous))
        previous = forged[-1].hash
    write(forged)


HARMS = [cut, empty, remove, forge]


@pytest.fixture(params=["a file", "a folder"])
def witnessed(workspace, tmp_path, monkeypatch, request):
    place = tmp_path / "elsewhere"
    if request.param == "a folder":
        place.mkdir()
    monkeypatch.setenv(witness.VARIABLE, str(place))
    for number in range(3):
        ledger.append("failed", NAME, number, "digest", {"reasons": ["weak"]})


@pytest.mark.parametrize("harm", HARMS)
def test_a_witness_tells_at_the_next_reading(witnessed, harm, monkeypatch):
    with monkeypatch.context() as patch:
        patch.delenv(witness.VARIABLE)
        harm()
        ledger.read()  # the chain alone is whole
    with pytest.raises(RegistryError, match=r"required: entry \d of the ledger as MEDLOOP_WITNESS"):
        ledger.read()


def test_a_witness_that_cannot_be_written_is_an_error(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "no" / "folder" / "file"))
    with pytest.raises(RegistryError, match="MEDLOOP_WITNESS, a file or a folder"):
        ledger.append("failed", NAME, 1, "digest", {})


@pytest.fixture
def judged(champion):
    gate(load(Params))
    return load(Params)


@pytest.mark.parametrize("harm", [cut, forge])
def test_the_copies_in_mlflow_tell_too(judged, harm):
    harm()
    for act in (lambda: gate(judged), lambda: promote(NAME, 2), lambda: account.verify(NAME)):
        with pytest.raises(RegistryError, match=r"of the ledger as MLflow has it"):
            act()


def test_verify_says_what_it_rests_on_and_what_it_cannot_know(judged, tmp_path, monkeypatch):
    told = account.verify(NAME)
    assert told.splitlines()[:2] == [
        "the chain of entries is whole: 2",
        "it agrees with 2 copies of its head in MLflow and 0 in MEDLOOP_WITNESS; the newest copy "
        "is of entry 2",
    ]
    assert "in the same folder: whoever can write there can change ledger and copies alike" in told
    ledger.append("failed", NAME, 9, "digest", {"reasons": []})
    assert "entries behind 2 could be cut off or written anew unseen" in account.verify(NAME)
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "heads"))
    ledger.append("failed", NAME, 10, "digest", {"reasons": []})
    assert "same folder" not in account.verify(NAME)
    assert "unseen" not in account.verify(NAME)


def test_an_old_ledger_without_copies_is_taken_as_it_is(workspace):
    ledger.append("promoted", NAME, 1, "digest", {"champion": None})
    witness.hold([ledger.read()[0].hash], [], "MLflow")
    assert len(ledger.read()) == 1
