"""A fresh MLflow store a test. Making one takes seconds, so it is made once and copied."""

import shutil

import pytest
from worlds.registry import make_result

from tasks.common import paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
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
    paths.store().mkdir()
    shutil.copy(empty_store, paths.store() / "mlflow.db")
    return make_result()


@pytest.fixture
def store(result):
    return open_experiment(load(Params).publish.experiment)
