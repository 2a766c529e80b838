import json

import pytest
from worlds.training import Recorder

from tasks.shown_live import shown_live

METRICS = {"val_auroc": 0.5}


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr("tasks.registry.live_runs.live_run", recorder.live_run)
    return recorder


@pytest.mark.parametrize(("machine", "shown"), [(0, [1]), (1, [])])
def test_the_first_machine_alone_shows_its_epochs(recorder, monkeypatch, machine, shown):
    workers = {"worker": ["a:1", "b:1"]}
    spec = {"cluster": workers, "task": {"type": "worker", "index": machine}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(spec))
    with shown_live("train") as on_epoch:
        on_epoch(1, METRICS)
    assert recorder.epochs == shown
    assert recorder.stages == ["train"] * len(shown)


def test_alone_a_machine_is_the_first(recorder, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with shown_live("train") as on_epoch:
        on_epoch(1, METRICS)
    assert recorder.epochs == [1]
