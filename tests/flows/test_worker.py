"""`make worker`: what it needs, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from flows import worker
from tasks.common import preflight, servers
from tasks.common.errors import WorkspaceError

# A worker that a flow's end does not end: each says which signal ended it, in order.
WORKER = """
import signal, subprocess, sys, time
def end(*_):
    print("worker", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
flow = subprocess.Popen([sys.executable, "-c", '''
import signal, sys, time
def end(*_):
    time.sleep(0.3)
    print("flow", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
print("begun", flush=True)
time.sleep(60)
'''])
flow.wait()
time.sleep(60)
"""


def test_its_flows_are_ended_first():
    """They tell the server, which would count them as running for good."""
    command = [sys.executable, "-c", WORKER]
    pipes = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "begun\n"
        flows = psutil.Process(process.pid).children()
        worker._end(process)
        assert process.stdout.read() == "flow\nworker\n"
    assert not any(flow.is_running() for flow in flows)


def test_one_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr(worker, "SECONDS", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(1, flush=True)"
    command = [sys.executable, "-c", f"{deaf}; time.sleep(60)"]
    pipes = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.readline()
        worker._end(process)
        process.wait(5)


def test_without_a_server_it_says_what_to_start(workspace, monkeypatch, capsys):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    monkeypatch.setattr(preflight, "require", lambda: None)
    assert worker.main() == 1
    assert "Start `make server` in another terminal" in capsys.readouterr().err


def test_it_works_for_the_server_of_this_workspace(workspace, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(servers, "answers", lambda url, seconds: url == "http://b/api/health")
    with servers.announced({"mlflow": "http://a", "prefect": "http://b"}):
        about = worker._about()
    assert about == {"PREFECT_API_URL": "http://b/api", "MEDLOOP_HOME": str(workspace)}
    monkeypatch.setenv("PREFECT_API_URL", "http://c/api")
    with pytest.raises(WorkspaceError, match="no answer from http://c/api"):
        worker._about()
