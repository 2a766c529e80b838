"""The project's own commands with MLflow on PostgreSQL, and its files on an S3 server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.tracking._tracking_service import utils
from worlds.programs import needs
from worlds.project import ROOT, enter_workspace, environment, run
from worlds.registry import NAME, aliases, kinds, make_result, write_lock
from worlds.serving import write_package
from worlds.stores import BUCKET, PASSWORD, mlflow_server, object_store, postgres, postgresql

from tasks.common import champion, documents, editing, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.publish import publish
from tasks.registry import account, record, store
from tasks.registry.gate import gate
from tasks.registry.registration import register
from tasks.registry.watching import watch

pytestmark = [pytest.mark.slow, needs("postgresql", postgres())]
AT_ONCE = 8
FLOORS = ("auroc", "sensitivity", "specificity", "slice_auroc", "slice_sensitivity")
ANYTHING_PASSES = {f"gate.floors.{name}": 0.0 for name in FLOORS} | {
    f"gate.floors.{name}": 1.0 for name in ("calibration_error", "parity")
}


class Server(NamedTuple):
    """The address of an MLflow server, the folder of its bucket, the address of its database."""

    url: str
    bucket: Path
    database: str


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    buckets = folder / "buckets"
    with postgresql() as database, object_store(buckets) as variables:
        variables |= {"MLFLOW_BACKEND_STORE_URI": database}
        files = ["--artifacts-destination", f"s3://{BUCKET}/runs"]
        with mlflow_server(folder, *files, **variables) as url:
            yield Server(url, buckets / BUCKET, database)


@pytest.fixture
def client(server, monkeypatch):
    """A client of that server, which is the store of every workspace of the test."""
    monkeypatch.setattr(utils, "_artifact_repos_cache", type(utils._artifact_repos_cache)())
    return MlflowClient(server.url, server.url)


def commanded(server, *command):
    """What `python -m` prints with this server as the store; never a password."""
    own = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": server.url}
    done = run(sys.executable, "-m", *command, cwd=paths.root(), **own)
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout


def trained(result, gain):
    """A result of the stages: a package that scores brightness."""
    shutil.rmtree(paths.PACKAGE)
    write_package(paths.PACKAGE, gain=gain)
    write_lock(result)


def test_a_better_challenger_is_promoted(server, client, workspace, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    make_result()
    editing.set_values(paths.PARAMS, ANYTHING_PASSES)
    trained("the first", -20.0)
    publish(load(Params))
    register(load(Params))
    assert gate(load(Params)) == "first"
    assert "View run" not in capsys.readouterr().out
    trained("the better", 20.0)
    for command in ("tasks.publish", "tasks.register"):
        commanded(server, command)
    assert f"Gate: {NAME} version 2: better" in commanded(server, "tasks.gate")
    assert aliases(client) == {"champion": 1, "challenger": 2}
    told = commanded(server, "flows.promote", "--reason", "better by far", "--by", "ada")
    assert "version 2 is the champion now; before: 1" in told
    assert kinds() == [("first", 1), ("passed", 2), ("promoting", 2), ("promoted", 2)]
    assert account.verify(NAME).startswith("the chain of entries is whole: 4")

    assert not champion.differs(NAME)
    client.set_registered_model_alias(NAME, "champion", "1")  # in the browser
    assert champion.differs(NAME)
    watch(NAME, [])
    assert kinds()[-1] == ("promoted", 1)

    commanded(server, "flows.predict", str(next(paths.RAW.glob("*.png"))))
    (row,) = pd.read_csv("predictions.csv").to_dict("records")
    assert 0 < row["score_nodule"] < 1
    kept = [file for file in server.bucket.rglob("*") if file.is_file()]
    assert {"MLmodel", "report.html", "scores.parquet"} <= {file.name for file in kept}
    assert [file.name for file in paths.store().iterdir() if file.suffix != ".lock"] == [
        paths.ledger().name
    ]


def test_a_database_without_a_server_is_told_what_it_lacks(server, workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.database)
    told = store.check()
    assert told.startswith("postgresql://127.0.0.1:")
    assert "put a server in front of it" in told


def test_nothing_is_lost_of_runs_that_are_logged_at_once(server, client, tmp_path, monkeypatch):
    folders = [tmp_path / f"workspace{number}" for number in range(AT_ONCE)]
    for number, folder in enumerate(folders):
        folder.mkdir()
        enter_workspace(folder, monkeypatch)
        make_result()
        trained(f"at once {number}", 20.0 + number)
        editing.set_values(paths.PARAMS, {"train.seed": number, "publish.experiment": "at once"})
    own = environment(PYTHONPATH=str(ROOT), MLFLOW_TRACKING_URI=server.url)
    command = [sys.executable, "-m", "tasks.publish"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = [subprocess.Popen(command, cwd=folder, env=own, **pipes) for folder in folders]
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * AT_ONCE, said

    found = client.search_runs([client.get_experiment_by_name("at once").experiment_id])
    runs = {run.data.params["train.seed"]: run for run in found}
    assert len(found) == len(runs) == AT_ONCE
    for number, folder in enumerate(folders):
        monkeypatch.chdir(folder)
        hold(client, runs[str(number)], tmp_path / f"read_back{number}")


def hold(client, run, folder):
    """A run to the workspace that it was logged from."""
    settings = load(Params).model_dump(by_alias=True)
    record._redact(settings)
    assert run.info.status == "FINISHED"
    assert run.data.params == {name: str(value) for name, value in record.flatten(settings)}
    numbers = dict(record.metrics(documents.read_json(paths.METRICS)))
    assert run.data.metrics.items() >= numbers.items()
    folder.mkdir()
    client.download_artifacts(run.info.run_id, "", str(folder))
    for file in record._plain_files():
        assert (folder / file).read_bytes() == file.read_bytes()
