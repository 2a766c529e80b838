import errno
import socket
import sqlite3
import time

import pytest
import sqlalchemy
from mlflow.exceptions import MlflowException
from worlds.loopback import free_port

from tasks.common.errors import RegistryError
from tasks.registry import store
from tasks.registry.failures import in_one_line


@pytest.fixture
def impatient(workspace, monkeypatch):
    for name in store.FIRST_PATIENCE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(store.FIRST_PATIENCE, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


def refused(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    started = time.monotonic()
    with pytest.raises(RegistryError) as raised:
        store.connect()
    assert time.monotonic() - started < 5
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_is_away_is_told_at_once(impatient, monkeypatch, scheme):
    told = refused(f"{scheme}://user:secret@127.0.0.1:{free_port()}/x", monkeypatch)
    assert f"the MLflow store {scheme}://127.0.0.1:" in told
    assert "received: Connection refused. Start it, or unset MLFLOW_TRACKING_URI" in told


def test_a_server_that_takes_calls_and_never_answers_is_told_soon(impatient, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = refused(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
    assert "timed out" in told


def test_a_database_without_its_driver_is_told(impatient, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"mssql+pymssql://user:secret@127.0.0.1:{silent.getsockname()[1]}/x"
        assert "received: No module named 'pymssql'" in refused(uri, monkeypatch)


def test_a_database_that_refuses_the_password_is_told_at_once(impatient, monkeypatch):
    class Engine:
        def connect(self):
            raise sqlalchemy.exc.OperationalError("", {}, Exception("password refused"))

    monkeypatch.setattr(sqlalchemy, "create_engine", lambda uri, connect_args: Engine())
    with socket.create_server(("127.0.0.1", 0)) as there:
        uri = f"postgresql://user:secret@127.0.0.1:{there.getsockname()[1]}/x"
        assert "password refused" in refused(uri, monkeypatch)


def failing(*errors):
    """Raises them, each because of the one before."""
    cause = None
    for error in errors:
        error.__cause__, cause = cause, error
    raise cause


def test_what_lies_at_the_bottom_is_told_and_no_statement(workspace):
    locked = sqlite3.OperationalError("database is locked")
    statement = sqlalchemy.exc.OperationalError("INSERT INTO tags", {"value": "secret"}, locked)
    with pytest.raises(RegistryError, match=r"received: database is locked\.") as e, in_one_line():
        failing(locked, statement, MlflowException(str(statement)))
    assert "secret" not in str(e.value)


def test_a_disk_that_fills_up_on_the_way_is_told(workspace):
    with pytest.raises(RegistryError, match="received: No space left on device"), in_one_line():
        raise OSError(errno.ENOSPC, "No space left on device", "/some/file")


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), FileNotFoundError(2, "No such")])
def test_what_is_not_the_stores_stays_what_it_is(workspace, error):
    with pytest.raises(type(error)), in_one_line():
        raise error
