"""The ports of `make server`, and whether it runs."""

from __future__ import annotations

import os
import socket

import pytest
from worlds.loopback import free_port

from tasks.common import documents, servers
from tasks.common.errors import WorkspaceError
from tasks.common.paths import StateEntry

URLS = {"mlflow": "http://127.0.0.1:5000", "prefect": "http://127.0.0.1:4200"}


def test_ports_are_the_usual_ones_unless_set(monkeypatch):
    assert servers.ports() == {"mlflow": 5000, "prefect": 4200}
    monkeypatch.setenv("MLFLOW_PORT", "5050")
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", "4242")
    assert servers.ports() == {"mlflow": 5050, "prefect": 4242}


@pytest.mark.parametrize("text", ["0", "65536", "x", "-1", "50.5", "²"])
def test_what_is_no_port_is_refused(monkeypatch, text):
    monkeypatch.setenv("MLFLOW_PORT", text)
    with pytest.raises(WorkspaceError, match="required: a port in MLFLOW_PORT, 1 to 65535"):
        servers.ports()


def test_a_port_is_busy_while_another_program_listens():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert servers.is_busy(port)
        with pytest.raises(WorkspaceError, match=rf"{port} \(MLFLOW_PORT\).*MLFLOW_PORT=\d+`"):
            servers.require_free({"mlflow": port, "prefect": free_port()})
    servers.require_free({"mlflow": port})


def test_airplay_is_named_where_it_may_be(monkeypatch):
    monkeypatch.setattr(servers, "is_busy", lambda port: port in (5000, 5001))
    with pytest.raises(WorkspaceError, match=r"`make server MLFLOW_PORT=5002`\. On macOS AirPlay"):
        servers.require_free({"mlflow": 5000, "prefect": 4200})


def test_servers_are_known_while_their_process_lives(workspace):
    assert servers.recorded() == {}
    with servers.announced(URLS):
        assert servers.recorded() == URLS
    assert servers.recorded() == {}


@pytest.mark.parametrize(
    "record",
    [{}, [], {"pid": "x"}, URLS | {"pid": os.getpid(), "started": 1.0}, URLS | {"pid": 2**22}],
)
def test_what_a_kill_or_another_has_left_there_does_not_count(workspace, record):
    documents.write_json(StateEntry.SERVERS.path, record)
    assert servers.recorded() == {}


def test_a_torn_record_does_not_count(workspace):
    StateEntry.SERVERS.path.parent.mkdir()
    StateEntry.SERVERS.path.write_bytes(b'{"mlflow": "\xff')
    assert servers.recorded() == {}
