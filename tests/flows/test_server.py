"""`make server`: two servers on loopback, of which nothing is left in the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import psutil
import pytest
from worlds.loopback import free_port, reached, wait_for
from worlds.project import ROOT, environment

from flows import server

# In one write: both write to one pipe.
SLEEPS = "import os, time; os.write(1, b'%d\\n' % os.getpid()); time.sleep({})"
WITH_SLEEPERS = """
import sys
from flows import server
server.commands = lambda: [[sys.executable, "-c", code] for code in sys.argv[1:]]
server.main()
"""
ON_PORTS = """
import sys
from flows import server
server.MLFLOW_PORT, server.PREFECT_PORT = map(int, sys.argv[1:])
server.main()
"""


@contextmanager
def started(folder, *command):
    """A process, and the list of those of its own that a failed test would leave behind."""
    own = []
    pipes = {"stdout": subprocess.PIPE, "text": True}
    variables = environment(PYTHONPATH=str(ROOT))
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
    mlflow, prefect = server.commands()
    assert mlflow[1:4] == ["-m", "mlflow", "server"]
    assert prefect[1:5] == ["-m", "prefect", "server", "start"]
    assert [option(command, "--host") for command in (mlflow, prefect)] == ["127.0.0.1"] * 2
    assert [option(command, "--port") for command in (mlflow, prefect)] == ["5000", "4200"]


def test_mlflow_shows_the_store_of_the_workspace(workspace):
    mlflow, _ = server.commands()
    assert option(mlflow, "--backend-store-uri") == f"sqlite:///{workspace}/mlruns/mlflow.db"
    assert option(mlflow, "--artifacts-destination") == f"{workspace}/mlruns/artifacts"


@pytest.mark.parametrize("uri", ["http://10.0.0.1:5001", "https://mlflow.example.org"])
def test_a_tracking_server_elsewhere_is_not_started_again(workspace, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    (only,) = server.commands()
    assert "prefect" in only


def test_a_store_elsewhere_is_shown_by_a_server_here(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////somewhere/else.db")
    mlflow, _ = server.commands()
    assert option(mlflow, "--backend-store-uri") == "sqlite:////somewhere/else.db"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_ends_both(workspace, number):
    with sleeping(workspace, 60, 60) as (process, servers):
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stdout.read() == "Ending ...\n"
        assert not any(one.is_running() for one in servers)


@pytest.mark.parametrize("seconds", [(1, 60), (60, 1)])
def test_one_that_ends_ends_the_other(workspace, seconds):
    with sleeping(workspace, *seconds) as (process, servers):
        assert process.wait(20) == 0
        assert not any(one.is_running() for one in servers)


@pytest.mark.slow
def test_both_answer_and_nobody_listens_beyond_loopback(workspace):
    ports = [free_port(), free_port()]
    with started(workspace, ON_PORTS, *map(str, ports)) as (process, own):
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
