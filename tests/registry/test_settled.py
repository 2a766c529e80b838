"""A register and a gate with nothing new end at once; whatever they rest on makes them look."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from worlds.project import ROOT, environment
from worlds.registry import answered, write_lock, write_model

from tasks import gate as gate_command
from tasks import register as register_command
from tasks.common import champion, editing, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.publish import publish
from tasks.registry import gate, last_run, ledger, model_versions, registration, scoring, settled

NAME = "medloop"


@pytest.fixture
def judged(result, store):
    """What a register and a gate leave; gives the parameters."""
    store.client.create_registered_model(NAME)
    store.client.create_model_version(NAME, "file:///a/model")
    ledger.append("first", NAME, 1, "digest", {"reasons": []})
    last_run.replace(model_name=NAME, version=1, verdict="first")
    settled.remember(result)
    assert settled.said(result) == last_run.read()
    return result


@pytest.fixture
def looked(monkeypatch):
    """What looks properly, as often as it does."""
    names = []
    monkeypatch.setattr(registration, "register", lambda settings: names.append("register"))
    monkeypatch.setattr(gate, "gate", lambda settings: names.append("gate"))
    return names


def test_the_second_time_nothing_is_looked_at(judged, looked, capsys):
    register_command.main()
    gate_command.main()
    assert looked == []
    assert capsys.readouterr().out == (
        "medloop version 1: registered already\nmedloop version 1 is judged: first\n"
    )


def edit_rules(store):
    editing.set_values(paths.PARAMS, {"gate.margin": 0.5})


def edit_ledger(store):
    with ledger.path().open("a") as file:
        file.write("\n")


CHANGES = {
    "another result": lambda store: write_lock("result 2"),
    "a version is gone": lambda store: store.client.delete_model_version(NAME, "1"),
    "an edited tag": lambda store: store.client.set_model_version_tag(NAME, "1", "a", "b"),
    "another alias": lambda store: store.client.set_registered_model_alias(NAME, "mine", "1"),
    "other rules": edit_rules,
    "the ledger was edited": edit_ledger,
    "no store": lambda store: (paths.store() / "mlflow.db").unlink(),
    "no memo": lambda store: paths.StateEntry.LAST_RUN.path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_they_rest_on_makes_them_look(judged, store, looked, change):
    CHANGES[change](store)
    register_command.main()
    gate_command.main()
    assert looked == ["register", "gate"]


def test_with_a_server_they_look(judged, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert settled.said(judged) is None


def test_each_model_is_registered_and_judged_once(result, store, monkeypatch):
    """By the commands, one after another, as the flow runs them."""
    monkeypatch.setattr(
        scoring, "ask", lambda package, images: answered(np.arange(len(images))[:, None] / 100)
    )
    for number in (1, 2):
        write_model(f"weights {number}".encode())
        write_lock(f"result {number}")
        publish(load(Params))
        for command in (register_command, gate_command) * 2:
            command.main()
    assert [entry.version for entry in ledger.read()] == [1, 2]
    assert settled.said(result)["version"] == 2
    store.client.set_registered_model_alias(NAME, model_versions.CHAMPION, "1")
    assert settled.said(result) is None
    assert champion.find(NAME) == champion.Champion(1, ["nodule"])


@pytest.mark.parametrize("command", ["register", "gate"])
def test_nothing_imports_mlflow_before_it_is_needed(command):
    code = f"import sys; from tasks import {command}; print('mlflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert done.stdout == "False\n"
