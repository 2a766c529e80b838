import fcntl
from shutil import rmtree

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from worlds.registry import NAME, aliases, kinds

from tasks.common.errors import RegistryError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import ledger
from tasks.registry.gate import gate
from tasks.registry.promotion import promote
from tasks.registry.store import connect

JUDGED = [("first", 1), ("passed", 2)]


@pytest.fixture
def two(champion):
    """The parameters; version 1 is the champion and version 2 the challenger."""
    settings = load(Params)
    gate(settings)
    return settings


@pytest.fixture
def refusing(monkeypatch):
    """The store takes no alias until this is undone."""

    def refuse(*_):
        raise MlflowException("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", refuse)
        yield patch


def test_a_promotion_that_the_store_refused_is_never_entered_as_done(two, refusing):
    with pytest.raises(RegistryError, match="received: database is locked"):
        promote(NAME)
    assert kinds() == [*JUDGED, ("promoting", 2)]
    refusing.undo()
    assert promote(NAME, 1) == 1  # the next look, whatever it is for
    assert kinds() == [*JUDGED, ("promoting", 2), ("abandoned", 2)]
    assert promote(NAME) == 2
    assert kinds()[4:] == [("promoting", 2), ("promoted", 2)]
    assert aliases(connect())["champion"] == 2


def test_the_gate_completes_a_promotion_that_was_killed(two, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "end", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            promote(NAME)
    assert gate(two) == "champion"
    assert kinds() == [*JUDGED, ("promoting", 2), ("promoted", 2)]
    assert "was interrupted: the alias had moved" in capsys.readouterr().out
    intent, confirmation = ledger.read()[2:]
    said = {"champion": 1, "rollback": False, "by": "", "reason": "", "where": ""}
    assert confirmation.facts == said | {"intent": intent.hash}


@pytest.fixture
def sooner(monkeypatch):
    """Let another process take the lock first and do something; this one waits for it."""
    lock = fcntl.flock

    def arrange(act):
        def wait(file, how):
            if how & fcntl.LOCK_NB:
                raise BlockingIOError
            monkeypatch.setattr(fcntl, "flock", lock)
            act()
            lock(file, how)

        monkeypatch.setattr(fcntl, "flock", wait)

    return arrange


def test_a_promotion_sees_the_one_that_it_waited_for(two, sooner, capsys):
    sooner(lambda: promote(NAME))
    promote(NAME)
    assert kinds() == [*JUDGED, ("promoting", 2), ("promoted", 2)]
    assert capsys.readouterr().out.endswith("medloop version 2 is the champion already\n")


def test_a_gate_sees_the_promotion_that_it_waited_for(two, sooner):
    sooner(lambda: promote(NAME))
    assert gate(two) == "champion"


def test_a_gate_sees_the_gate_that_it_waited_for(champion, sooner):
    settings = load(Params)
    sooner(lambda: gate(settings))
    assert gate(settings) == "not worse"
    assert kinds() == JUDGED


def test_a_version_whose_files_are_gone_is_not_promoted(two, files_of):
    rmtree(files_of(2))
    with pytest.raises(RegistryError, match="the files of medloop version 2; received: "):
        promote(NAME)
    assert kinds() == JUDGED
