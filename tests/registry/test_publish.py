import json
import os
import signal
import subprocess
import sys

import pytest
from worlds.project import ROOT, environment, run
from worlds.registry import METRICS, PATIENT, content_of, write_lock

from tasks.common import digests, editing, paths
from tasks.common.errors import RegistryError
from tasks.common.manifest import read_manifest
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.publish import publish
from tasks.registry import cases, git, live_runs, package, runs
from tasks.serving import packing

KILLED = """
import os, signal
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.publish import publish
from tasks.registry import record
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
record.{step} = die
publish(load(Params))
"""
STEPS = ["_log_params", "_log_metrics", "_log_files", "_log_model_once"]


def everything(store):
    return live_runs.search(store, {})


def names(store, run_id, folder=None):
    return {entry.path for entry in store.client.list_artifacts(run_id, folder)}


def test_a_run_holds_the_whole_result(result, store, monkeypatch):
    monkeypatch.setenv("MEDLOOP_FLOW_RUN_ID", "flow-1")
    found = store.client.get_run(publish(result))
    tags, data = found.data.tags, found.data
    assert found.info.status == "FINISHED"
    assert tags["result.digest"] == digests.of_result()
    assert tags["model.digest"] == digests.of_model(paths.MODEL)
    assert tags["package.digest"] == packing.of_workspace()
    assert tags["test.digest"] == cases.digest(read_manifest())
    assert tags["prefect.flow_run_id"] == "flow-1"
    assert data.params["task.kind"] == "binary"
    assert data.params["evaluate.operating_point.rule"] == "youden"
    assert data.metrics["test/auroc"] == 0.9
    assert data.metrics["test/auroc_high"] == 0.95
    assert data.metrics["validation/warnings"] == 1
    assert data.metrics["test/slices/sex/F/auroc_low"] == 0.7
    assert data.metrics["fine_tune/val_auroc"] == 0.8
    assert "test/ece_low" not in data.metrics


def test_a_run_holds_the_files(result, store):
    run_id = publish(result)
    assert {"dvc.lock", "params.yaml", "reports", "models", "data"} <= names(store, run_id)
    assert names(store, run_id, "reports/explain") == {"reports/explain/picture.png"}
    assert "reports/evaluate/net_benefit.csv" in names(store, run_id, "reports/evaluate")
    kept = {"model.keras", "operating_point.json", "calibration.json"}
    assert names(store, run_id, "models") == {f"models/{name}" for name in kept}


def test_a_run_names_its_data_and_no_patient(result, store):
    found = store.client.get_run(publish(result))
    inputs = {i.dataset.name: json.loads(i.dataset.profile) for i in found.inputs.dataset_inputs}
    assert set(inputs) == {"manifest train", "manifest val", "manifest test"}
    assert inputs["manifest test"]["images"] == 22
    assert PATIENT.encode() not in content_of(paths.store())


def test_a_second_publish_does_nothing(result, store, capsys):
    first = publish(result)
    assert publish(result) == first
    assert "recorded already" in capsys.readouterr().out
    assert len(everything(store)) == 1


def test_a_second_publish_is_cheap(result, store):
    publish(result)
    command = "import sys, tasks.publish as p; p.main(); sys.exit('mlflow' in sys.modules)"
    done = run(sys.executable, "-X", "importtime", "-c", command, cwd=paths.root(), **HERE)
    slow = {"mlflow", "pandas", "numpy", "keras"}
    assert not slow & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_without_its_memo_publish_finds_the_run(result, store):
    first = publish(result)
    (paths.state() / "last_run.json").unlink()
    assert publish(result) == first
    assert len(everything(store)) == 1


def test_a_deleted_run_is_published_anew(result, store):
    first = publish(result)
    store.client.delete_run(first)
    assert publish(result) != first


def kill_at(step):
    """A publish that is killed when it comes to a step."""
    script = KILLED.format(step=step)
    killed = subprocess.run([sys.executable, "-c", script], env=environment(**HERE), check=False)
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_publish_ends_in_one_complete_run(result, store, step):
    kill_at(step)
    (half,) = everything(store)
    assert half.info.status == "RUNNING"
    run_id = publish(result)
    (found,) = everything(store)
    assert (found.info.run_id, found.info.status) == (run_id, "FINISHED")
    assert len(store.client.get_metric_history(run_id, "test/auroc")) == 1
    assert len(store.client.get_metric_history(run_id, "train/loss")) == 2
    assert len(runs.models(store, run_id)) == 1


def test_a_model_half_logged_is_replaced(result, store, monkeypatch):
    experiment = store.experiment_id

    def half(*_):
        store.client.create_logged_model(experiment, "model", _active(store))
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(package, "log_model", half)
        with pytest.raises(OSError, match="disk full"):
            publish(result)
    (failed,) = everything(store)
    assert failed.info.status == "FAILED"
    run_id = publish(result)
    (model,) = runs.models(store, run_id)
    assert str(model.status) == "READY"
    assert run_id == failed.info.run_id


def _active(store):
    return everything(store)[0].info.run_id


def test_another_result_is_another_run(result, store):
    first = publish(result)
    write_lock("result 2")
    assert publish(result) != first
    assert {r.info.status for r in everything(store)} == {"FINISHED"}


def test_a_half_published_run_is_not_given_to_another_result(result, store):
    with live_runs.live_run("fine_tune") as live_run:
        live_run.log_epoch(1, {"loss": 0.7})
    kill_at("_log_metrics")
    half = _active(store)
    write_lock("result 2")
    assert publish(result) != half
    assert store.client.get_run(half).info.status == "KILLED"


def test_parameters_outside_the_result_may_change_before_a_rerun(result, store):
    kill_at("_log_metrics")
    editing.set_values(paths.PARAMS, {"gate.margin": 0.5})
    run_id = publish(load(Params))
    assert store.client.get_run(run_id).info.status == "FINISHED"


def test_a_missing_file_is_named(result, store):
    paths.REPORT.unlink()
    with pytest.raises(RegistryError, match=r"reports/report\.html"):
        publish(result)


def test_a_deleted_experiment_is_an_error_that_helps(result, store):
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(RegistryError, match="mlflow experiments restore"):
        publish(result)


def test_classes_and_slices_of_any_name_keep_their_metrics_apart(result, store):
    names = ["<5 mm", ">5 mm", "A & B", "A + B", "A//B", "A/B", "..", "", "90+", "_x3C_5 mm"]
    names += ["high", "low", "value", "long " * 60, "long " * 61]
    figures = {
        name: {"auroc": {"value": k / 100, "low": None, "high": 1.0}, "images": k}
        for k, name in enumerate(names)
    }
    three = {name: figures[name] for name in ("high", "low", "value")}
    test = METRICS["test"] | {"classes": figures, "slices": {"size (mm)": figures, "dose": three}}
    paths.METRICS.write_text(json.dumps({"test": test}))
    recorded = store.client.get_run(publish(result)).data.metrics
    assert recorded["test/slices/size _x28_mm_x29_/_x3C_5 mm/auroc"] == 0.0
    assert recorded["test/slices/size _x28_mm_x29_/_x3E_5 mm/auroc"] == 0.01
    assert recorded["test/classes/A_x2F__x2F_B/auroc"] == 0.04
    counts = [value for name, value in recorded.items() if name.startswith("test/classes/")]
    assert sorted(counts) == sorted(x for k in range(15) for x in (k, k / 100, 1.0))
    assert len([name for name in recorded if name.startswith("test/slices/dose/")]) == 9


def test_dirty_leaves_out_what_belongs_to_the_data(workspace):
    assert git.tags() == {}
    run("git", "init", "-q", cwd=workspace)
    assert git.tags() == {}
    run("git", "add", "-A", cwd=workspace)
    run("git", "commit", "-qm", "all", cwd=workspace)
    assert git.tags()["git.dirty"] == "false"
    assert git.tags()["mlflow.source.git.commit"] == git.tags()["git.commit"]
    assert git.tags()["mlflow.source.name"] == "dvc.yaml"  # without which no page shows the commit
    paths.DVC_LOCK.write_text("a lock")
    paths.RAW_DVC.parent.mkdir()
    paths.RAW_DVC.write_text("a pointer")
    assert git.tags()["git.dirty"] == "false"
    paths.PARAMS.write_text("changed")
    assert git.tags()["git.dirty"] == "true"


HERE = {"PYTHONPATH": os.fspath(ROOT)}
