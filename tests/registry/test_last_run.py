import pytest

from tasks.common import paths
from tasks.publish import publish
from tasks.registry import last_run


@pytest.fixture
def known(result, store):
    run_id = publish(result)
    entry = last_run.read()
    assert last_run.published(entry["result"], entry["experiment"]) == run_id
    return entry


def found(known):
    return last_run.published(known["result"], known["experiment"])


def test_another_result_or_experiment_is_looked_for(known):
    assert last_run.published("another", known["experiment"]) is None
    assert last_run.published(known["result"], "another") is None


def test_a_deleted_store_is_noticed(known):
    (paths.store() / "mlflow.db").unlink()
    assert found(known) is None


def test_a_deleted_run_is_noticed(known, store):
    store.client.delete_run(known["run_id"])
    assert found(known) is None


def test_another_store_is_noticed(known, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///another.db")
    assert found(known) is None


def test_a_deleted_memo_is_no_error(known):
    (paths.state() / "last_run.json").unlink()
    assert found(known) is None
    assert last_run.read() == {}


def test_values_add_up(workspace):
    last_run.replace(run_id="1")
    last_run.add(version=2)
    assert last_run.read() == {"run_id": "1", "version": 2}
