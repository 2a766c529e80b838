"""`make server`: two servers on loopback, of which nothing is left in the end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress

import psutil
import pytest
from worlds.loopback import free_port, reached, wait_for
from worlds.project import ROOT, environment

from flows import server
from tasks.common import servers

# In one write: both write to one pipe.
SLEEPS = "import os, time; os.write(1, b'%d\\n' % os.getpid()); time.sleep({})"
WITH_SLEEPERS = """
import sys
from flows import server
codes = dict(zip(("mlflow", "prefect"), sys.argv[1:]))
server.commands = lambda ports: {n: [sys.executable, "-c", code] for n, code in codes.items()}
sys.exit(server.main())
"""
REAL = "import sys; from flows import server; sys.exit(server.main())"
PORTS = {"mlflow": 5000, "prefect": 4200}


def on(ports):
    """The environment that sets these ports."""
    return dict(zip(servers.VARIABLES.values(), map(str, ports), strict=True))


@contextmanager
def started(folder, *command, ports=None):
    """A process, and the list of those of its own that a failed test would leave behind."""
    own = []
    pipes = {"stdout": subprocess.PIPE, "text": True}
    variables = environment(PYTHONPATH=str(ROOT), **on(ports or [free_port(), free_port()]))
    command = [sys.executable, "-c", *command]
    with subprocess.Popen(command, cwd=folder, env=variables, **pipes) as process:
        try:
            yield process, own
        finally:
            own += children(process)
            process.kill()
            for one in own:
                with suppress(psutil.NoSuchProcess):
                    one.kill()


def children(process):
    return [] if process.poll() is not None else psutil.Process(process.pid).children(True)


@contextmanager
def sleeping(folder, *seconds):
    """`main` over processes that sleep so long in place of the servers; it and they."""
    with started(folder, WITH_SLEEPERS, *map(SLEEPS.format, seconds)) as (process, own):
        said = [process.stdout.readline().split()[0] for _ in range(3)]
        assert said == ["MLflow", "Prefect", "Ctrl-C"]
        own += [psutil.Process(int(process.stdout.readline())) for _ in seconds]
        yield process, own


def option(command, name):
    return command[command.index(name) + 1]


def test_both_stand_on_loopback(workspace):
    mlflow, prefect = server.commands(PORTS).values()
    assert mlflow[1:4] == ["-m", "mlflow", "server"]
    assert prefect[1:5] == ["-m", "prefect", "server", "start"]
    assert [option(command, "--host") for command in (mlflow, prefect)] == ["127.0.0.1"] * 2
    assert [option(command, "--port") for command in (mlflow, prefect)] == ["5000", "4200"]


def test_mlflow_shows_the_store_of_the_workspace(workspace):
    mlflow, _ = server.commands(PORTS).values()
    assert option(mlflow, "--backend-store-uri") == f"sqlite:///{workspace}/mlruns/mlflow.db"
    assert option(mlflow, "--artifacts-destination") == f"{workspace}/mlruns/artifacts"


@pytest.mark.parametrize("uri", ["http://10.0.0.1:5001", "https://mlflow.example.org"])
def test_a_tracking_server_elsewhere_is_not_started_again(workspace, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert list(server.commands(PORTS)) == ["prefect"]


def test_a_store_elsewhere_is_shown_by_a_server_here(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////somewhere/else.db")
    mlflow, _ = server.commands(PORTS).values()
    assert option(mlflow, "--backend-store-uri") == "sqlite:////somewhere/else.db"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_ends_both(workspace, number):
    with sleeping(workspace, 60, 60) as (process, servers):
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stdout.read() == "Ending ...\n"
        assert not any(one.is_running() for one in servers)


@pytest.mark.parametrize("seconds", [(1, 60), (60, 1)])
def test_one_that_ends_ends_the_other_and_the_status_is_1(workspace, seconds):
    with sleeping(workspace, *seconds) as (process, servers):
        assert process.wait(20) == 1
        assert not any(one.is_running() for one in servers)


def test_where_they_listen_is_told_to_this_workspace_while_they_do(workspace):
    with sleeping(workspace, 60, 60) as (process, _):
        assert set(servers.recorded()) == {"mlflow", "prefect"}
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert servers.recorded() == {}


def test_a_busy_port_is_seen_before_anything_is_started(workspace, monkeypatch, capsys):
    monkeypatch.setattr(server, "_serve", lambda commands: pytest.fail("started"))
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = other.getsockname()[1]
        for name, value in on([busy, free_port()]).items():
            monkeypatch.setenv(name, value)
        assert server.main() == 1
    said = capsys.readouterr()
    assert f"another program on {busy} (MLFLOW_PORT)" in said.err
    assert "make server MLFLOW_PORT=" in said.err
    assert said.out == ""


def test_a_second_one_in_a_workspace_names_the_first(workspace, monkeypatch, capsys):
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    with servers.announced({"mlflow": "http://a", "prefect": "http://b"}):
        assert server.main() == 1
    assert "MLflow on http://a and Prefect on http://b" in capsys.readouterr().err


@pytest.mark.slow
def test_both_answer_and_nobody_listens_beyond_loopback(workspace):
    ports = [free_port(), free_port()]
    with started(workspace, REAL, ports=ports) as (process, own):
        for port, page in zip(ports, ("health", "api/health"), strict=True):
            url = f"http://127.0.0.1:{port}/{page}"
            wait_for(lambda url=url: reached(url), 180, url)
        own += children(process)
        assert {address.ip for one in own for address in heard(one)} == {"127.0.0.1"}
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert not any(one.is_running() for one in own)


def heard(process):
    """The addresses that a process listens on."""
    connections = process.net_connections("inet")
    return [one.laddr for one in connections if one.status == psutil.CONN_LISTEN]
