import os
import signal
import subprocess
import sys

import pytest
from worlds.project import ROOT, environment
from worlds.registry import write_lock

from tasks.common import editing, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.publish import publish
from tasks.registry import live_runs, runs
from tasks.registry.live_runs import live_run

KILLED = """
import os, signal
from tasks.registry.live_runs import live_run
with live_run("train") as run:
    run.log_epoch(1, {"loss": 0.7})
    run.log_epoch(2, {"loss": 0.5})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def everything(store):
    return live_runs.search(store, {})


def steps(store, run_id, name):
    return [(m.step, m.value) for m in store.client.get_metric_history(run_id, name)]


def train(stage="train", losses=(0.7, 0.5)):
    with live_run(stage) as run:
        for epoch, loss in enumerate(losses, start=1):
            run.log_epoch(epoch, {"loss": loss})


def test_a_killed_stage_goes_on_in_the_same_run_and_doubles_no_step(store):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], env=environment(PYTHONPATH=str(ROOT)), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    train(losses=(0.7, 0.5, 0.4))
    (run,) = everything(store)
    assert steps(store, run.info.run_id, "train/loss") == [(1, 0.7), (2, 0.5), (3, 0.4)]
    assert run.info.status == "RUNNING"


def test_both_phases_share_a_run(store):
    train()
    train("fine_tune")
    train("fine_tune")
    (run,) = everything(store)
    assert set(run.data.metrics) == {"train/loss", "fine_tune/loss"}
    assert len(steps(store, run.info.run_id, "fine_tune/loss")) == 2


def test_another_key_is_another_run(store):
    train()
    editing.set_values(paths.PARAMS, {"train.seed": 99})
    train()
    assert len(everything(store)) == 2


def test_fine_tuning_never_goes_on_where_another_fine_tuning_began(store):
    train()
    train("fine_tune", [0.9])
    editing.set_values(paths.PARAMS, {"fine_tune.epochs": 9})
    train("fine_tune", [0.3])
    assert len(everything(store)) == 2


def test_fine_tuning_leaves_a_run_that_a_result_owns_alone(result, store):
    train()
    train("fine_tune")
    owned = publish(result)
    editing.set_values(paths.PARAMS, {"fine_tune.epochs": 9})
    train("fine_tune", [0.3])
    assert len(everything(store)) == 2
    assert store.client.get_run(owned).info.status == "FINISHED"


def test_training_again_what_is_recorded_changes_nothing(result, store):
    train()
    train("fine_tune")
    owned = publish(result)
    train()
    train("fine_tune")
    (run,) = everything(store)
    assert (run.info.run_id, run.info.status) == (owned, "FINISHED")
    assert len(steps(store, owned, "train/loss")) == 2


def test_abandoned_runs_end_as_killed(result, store):
    train()
    editing.set_values(paths.PARAMS, {"train.seed": 99})
    train()
    train("fine_tune")
    adopted = publish(result)
    status = {run.info.run_id: run.info.status for run in everything(store)}
    assert status.pop(adopted) == "FINISHED"
    assert list(status.values()) == ["KILLED"]


def test_an_abandoned_run_ends_though_the_result_is_recorded_already(result, store):
    recorded = publish(result)
    editing.set_values(paths.PARAMS, {"train.seed": 99})
    train()
    assert publish(result) == recorded
    assert {run.info.status for run in everything(store)} == {"FINISHED", "KILLED"}


def test_the_open_runs_of_other_workspaces_stay_open(store, tmp_path):
    other = store.client.create_run(
        store.experiment_id, tags={live_runs.WORKSPACE: f"{os.uname().nodename}:{tmp_path}"}
    )
    gone = store.client.create_run(
        store.experiment_id,
        tags={live_runs.WORKSPACE: f"{os.uname().nodename}:{tmp_path / 'gone'}"},
    )
    elsewhere = store.client.create_run(
        store.experiment_id, tags={live_runs.WORKSPACE: f"elsewhere:{tmp_path / 'gone'}"}
    )
    runs.end_abandoned(store, keep="none")
    status = {run.info.run_id: run.info.status for run in everything(store)}
    assert status[other.info.run_id] == status[elsewhere.info.run_id] == "RUNNING"
    assert status[gone.info.run_id] == "KILLED"


def test_a_store_that_cannot_be_reached_costs_one_warning(result, monkeypatch, capsys):
    blocked = paths.root() / "blocked"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{blocked}/mlflow.db")
    train()
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert "training goes on" in errors[0]


def test_what_a_lost_store_missed_is_sent_when_it_answers_again(store, capsys, monkeypatch):
    """It takes in the second epoch without saying so, and is away for the third."""
    logged = type(store.client).log_batch

    def lost(*arguments, **named):
        logged(*arguments, **named)
        raise ConnectionError("reset by peer")

    with live_run("train") as run:
        run.log_epoch(1, {"loss": 0.7})
        with monkeypatch.context() as patch:
            patch.setattr(type(store.client), "log_batch", lost)
            run.log_epoch(2, {"loss": 0.5})
            run.log_epoch(3, {"loss": 0.4})
        (found,) = everything(store)
        assert [step for step, _ in steps(store, found.info.run_id, "train/loss")] == [1, 2]
        run._not_before = 0.0  # some minutes later
        run.log_epoch(4, {"loss": 0.3})
    expected = [(1, 0.7), (2, 0.5), (3, 0.4), (4, 0.3)]
    assert steps(store, found.info.run_id, "train/loss") == expected
    errors = capsys.readouterr().err
    assert errors.count("Warning") == 1
    assert "reset by peer" in errors


def test_a_store_that_was_not_there_at_the_start_is_opened_later(result, monkeypatch):
    begun = live_runs.open_experiment
    refused = iter([True])

    def away(name):
        if next(refused, False):
            raise ConnectionError("refused")
        return begun(name)

    monkeypatch.setattr(live_runs, "open_experiment", away)
    monkeypatch.setattr(live_runs, "AGAIN_SECONDS", 0.0)
    train(losses=(0.7, 0.5))
    store = begun(load(Params).publish.experiment)
    (found,) = everything(store)
    assert steps(store, found.info.run_id, "train/loss") == [(1, 0.7), (2, 0.5)]


def test_a_store_that_stays_away_costs_nothing_but_the_live_metrics(store, capsys, monkeypatch):
    with live_run("train") as run:
        run.log_epoch(1, {"loss": 0.7})
        monkeypatch.setattr(type(store.client), "log_batch", lambda *_, **__: 1 / 0)
        run.log_epoch(2, {"loss": 0.5})
        run.log_epoch(3, {"loss": 0.4})
    assert capsys.readouterr().err.count("Warning") == 1


def test_a_run_named_in_the_environment_is_not_adopted(store, monkeypatch):
    foreign = store.client.create_run(store.experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", foreign)
    train()
    assert len(everything(store)) == 2
    assert store.client.get_run(foreign).data.metrics == {}


@pytest.mark.parametrize("result_name", ["result 1", "result 2"])
def test_publish_completes_what_was_not_logged_live(result, store, result_name):
    train(losses=[0.7])
    train("fine_tune", [])
    write_lock(result_name)
    run_id = publish(result)
    assert steps(store, run_id, "train/loss") == [(1, 0.7), (2, 0.5)]
    assert steps(store, run_id, "fine_tune/val_auroc") == [(1, 0.6), (2, 0.8)]
