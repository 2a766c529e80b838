import errno
import socket
import sqlite3
import time

import pytest
import requests
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.utils.rest_utils import verify_rest_response
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


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (
            401,
            "You are not authenticated.",
            "Set MLFLOW_TRACKING_USERNAME and",
        ),
        (403, "Permission denied", "gives your account the right EDIT"),
        (403, "Invalid Host header - possible DNS rebinding attack", "--allowed-hosts"),
    ],
)
def test_what_a_server_refuses_is_told_with_what_fixes_it(workspace, status, body, advice):
    answer = requests.Response()
    answer.status_code, answer._content = status, body.encode()
    told = f"required: access to .*{body}.*{advice}"
    with pytest.raises(RegistryError, match=told), in_one_line():
        verify_rest_response(answer, "/api/2.0/mlflow/runs/get")


def test_so_it_is_where_mlflow_is_not_imported(workspace):
    answer = requests.Response()
    answer.status_code, answer.url = 403, "https://ada:secret@host/api"
    with pytest.raises(RegistryError, match=r"access to .*the right EDIT") as told, in_one_line():
        answer.raise_for_status()
    assert "secret" not in str(told.value)
