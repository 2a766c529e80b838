"""The look of `make server`: cheap, and followed by a flow only where alias and ledger differ."""

from __future__ import annotations

import json
import sqlite3
import sys
import time

import pytest

from flows import watch, watching
from tasks.common import champion, paths

ALIASES = """
    CREATE TABLE registered_model_aliases (alias, version, name);
    INSERT INTO registered_model_aliases VALUES ('champion', 2, 'medloop'), ('champion', 9, 'b');
"""


def entered(*entries):
    lines = [{"kind": kind, "model_name": "medloop", "version": v} for kind, v in entries]
    paths.ledger().write_text("".join(f"{json.dumps(line)}\n" for line in lines))


@pytest.fixture
def store(workspace):
    """Version 2 has the alias, and the ledger says nothing yet."""
    paths.store().mkdir()
    with sqlite3.connect(paths.store() / "mlflow.db") as database:
        database.executescript(ALIASES)
    database.close()


@pytest.mark.parametrize(
    ("entries", "differs"),
    [
        ([], True),
        ([("first", 1)], True),
        ([("first", 1), ("promoted", 2), ("passed", 3)], False),
        ([("first", 2), ("promoting", 1), ("abandoned", 1)], False),
        ([("first", 2), ("promoted", 1)], True),
    ],
)
def test_alias_and_ledger_are_compared(store, entries, differs):
    entered(*entries)
    assert watch.differs() == differs


def test_a_look_takes_milliseconds(store):
    entered(*[("failed", number) for number in range(500)], ("promoted", 2))
    started = time.perf_counter()
    for _ in range(10):
        assert not champion.differs("medloop")
    assert (time.perf_counter() - started) / 10 < 0.05


def test_what_cannot_be_read_differs_from_nothing(workspace):
    assert not watch.differs()
    paths.store().mkdir()
    (paths.store() / "mlflow.db").write_text("no database")
    assert not watch.differs()
    paths.PARAMS.write_text("publish: [")
    assert not watch.differs()


class Flow:
    """A process that runs until it is told to have ended."""

    ended = None

    def poll(self):
        return self.ended


def test_one_flow_at_a_time_is_started_where_they_differ(store, monkeypatch):
    started, now = [], [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])

    def start(command):
        started.append((command, Flow()))
        return started[-1][1]

    lookout = watch.Lookout(start)
    lookout.look()
    assert [command for command, _ in started] == [[sys.executable, "-m", "flows.watch"]]
    now[0] += watch.SECONDS
    lookout.look()  # it still runs
    assert len(started) == 1
    started[0][1].ended = 0
    lookout.look()
    assert len(started) == 2
    started[1][1].ended = 0
    lookout.look()  # it is not time
    entered(("promoted", 2))
    now[0] += watch.SECONDS
    lookout.look()  # they agree
    assert len(started) == 2


def test_the_flow_runs_the_registrys_own_command():
    assert watching.COMMAND[1:] == ["-m", "tasks.watch"]
    assert watching.watch.name == "watch"
