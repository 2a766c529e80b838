import os
import sqlite3

import pytest
from mlflow import MlflowClient

from tasks.common import paths
from tasks.registry.store import connect, open_experiment


def killed(*_):
    raise KeyboardInterrupt


def test_a_store_killed_while_it_is_made_is_made_again(workspace, monkeypatch):
    database = paths.store() / "mlflow.db"
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.store.db.utils._upgrade_db", killed)
        with pytest.raises(KeyboardInterrupt):
            connect()
    assert not database.exists()
    store = open_experiment("medloop")
    assert store.client.create_run(store.experiment_id).info.run_id
    assert [file.name for file in paths.store().glob("*.db")] == [database.name]
    with sqlite3.connect(database) as opened:
        assert opened.execute("select count(*) from runs").fetchone() == (1,)


@pytest.mark.parametrize("error", [FileExistsError, OSError])
def test_a_store_is_never_put_over_another(workspace, monkeypatch, error):
    """Another process was sooner, or the file system has no hard links."""
    first = open_experiment("medloop")
    database, content = paths.store() / "mlflow.db", (paths.store() / "mlflow.db").read_bytes()
    database.unlink()

    def link(source, target):
        if error is FileExistsError:
            target.write_bytes(content)
        raise error

    monkeypatch.setattr(os, "link", link)
    connect()
    assert (database.read_bytes() == content) == (error is FileExistsError)
    assert first.experiment_id


def test_two_that_make_one_experiment_at_once_share_it(workspace, monkeypatch):
    first = open_experiment("medloop")
    found = MlflowClient.get_experiment_by_name
    looks = iter([None])  # before the other had made it
    monkeypatch.setattr(
        MlflowClient, "get_experiment_by_name", lambda *asked: next(looks, found(*asked))
    )
    assert open_experiment("medloop").experiment_id == first.experiment_id
