"""A fresh MLflow store per test. Making one takes seconds, so it is made once and copied."""

import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking._tracking_service import utils
from worlds.project import enter_workspace
from worlds.registry import NAME, answered, make_result, new_model

from tasks.common import labels, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import scoring
from tasks.registry.gate import gate
from tasks.registry.store import connect, open_experiment


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        connect().search_experiments()
    return path


@pytest.fixture
def result(workspace, empty_store):
    """A tiny result in the workspace, not yet in MLflow; its parameters."""
    return _begin(empty_store)


def _begin(empty_store):
    paths.store().mkdir()
    shutil.copy(empty_store, paths.store() / "mlflow.db")
    return make_result()


@pytest.fixture
def store(result):
    return open_experiment(load(Params).publish.experiment)


def _score_as(answers, monkeypatch):
    """Score without running a model: 1 where the label says so, less by 1 - its answer."""

    def ask(package, images):
        version = int(package.name.removeprefix("version_"))
        truth = labels.encode(images["label"], "binary", ["no_nodule", "nodule"])
        noise = np.random.default_rng(version).random(truth.shape)
        return answered((truth * answers.get(version, 1.0) + noise * 0.5) / 1.5)

    monkeypatch.setattr(scoring, "ask", ask)


@pytest.fixture
def quality(monkeypatch):
    """Version -> how well it scores, from 0 to 1, without running it; 1 where nothing is said."""
    answers = {}
    _score_as(answers, monkeypatch)
    return answers


@pytest.fixture(scope="session")
def two_versions(tmp_path_factory, empty_store):
    """A workspace with a champion, version 1, and a version 2 that is not judged."""
    folder = tmp_path_factory.mktemp("two_versions")
    with pytest.MonkeyPatch.context() as patch:
        enter_workspace(folder, patch)
        _score_as({}, patch)
        result = _begin(empty_store)
        new_model(1)
        gate(result)
        new_model(2)
    return folder


@pytest.fixture
def champion(workspace, two_versions, quality, monkeypatch):
    """The same, as a workspace of the test's own; version 1."""
    # MLflow remembers where the files of a run lie, in whatever store.
    monkeypatch.setattr(utils, "_artifact_repos_cache", OrderedDict())
    shutil.copytree(two_versions, workspace, dirs_exist_ok=True)
    return connect().get_model_version(NAME, "1")


@pytest.fixture
def files_of():
    """Where the packaged model of a version lies."""

    def folder(version):
        source = connect().get_model_version(NAME, str(version)).source
        location = connect().get_logged_model(source.removeprefix("models:/")).artifact_location
        return Path(location.removeprefix("file://"))

    return folder
