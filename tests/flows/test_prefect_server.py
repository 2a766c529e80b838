"""Which Prefect server a flow reports to, and what becomes of one of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest
from worlds.loopback import free_port
from worlds.project import ROOT, environment

from flows import prefect_server
from tasks.common import paths, servers
from tasks.common.errors import WorkspaceError

# Answers on the socket that it is given, as the temporary server does, and sooner.
STAND_IN = """
import os, signal, socket, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from flows import temporary_server
threading.Thread(target=temporary_server._end_with_parent, daemon=True).start()
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    log_message = print
server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.serve_forever()
"""


@pytest.fixture(autouse=True)
def nothing_named(workspace, monkeypatch):
    for name in ("PREFECT_API_URL", "PREFECT_UI_URL"):
        monkeypatch.setenv(name, "")  # so that it is as before in the end
        monkeypatch.delenv(name)


@contextmanager
def answering():
    """A server that answers everything with 200; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def own(monkeypatch):
    """The servers of its own that are started; a stand-in runs in their place."""
    processes, end = [], []

    def start(listening):
        number = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", own.code, str(number)],
            stdin=subprocess.PIPE,
            pass_fds=[number],
            env=environment(PYTHONPATH=str(ROOT)),
        )
        processes.append(process)
        return process

    own = start
    own.code, own.processes, own.at_exit = STAND_IN, processes, end
    monkeypatch.setattr(prefect_server, "_start", start)
    monkeypatch.setattr("atexit.register", lambda *call: end.append(call))
    yield own
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()


def test_the_one_that_is_named_is_taken(monkeypatch):
    with answering() as url:
        monkeypatch.setenv("PREFECT_API_URL", f"{url}/api")
        prefect_server.choose()()
        assert os.environ["PREFECT_API_URL"] == f"{url}/api"
    assert paths.state().is_dir()  # for Prefect's home, which it is imported to


def test_one_that_is_named_and_does_not_answer_is_an_error(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    with pytest.raises(WorkspaceError, match="PREFECT_API_URL; received: no answer"):
        prefect_server.choose()


def test_that_of_make_server_is_taken_where_it_answers():
    with answering() as url, servers.announced({"mlflow": "", "prefect": url}):
        prefect_server.choose()()
        assert os.environ["PREFECT_API_URL"] == f"{url}/api"


def test_anothers_on_the_usual_port_is_not(own, monkeypatch):
    """It has another workspace's runs."""
    with answering() as url:
        monkeypatch.setenv("PREFECT_SERVER_API_PORT", url.rpartition(":")[2])
        prefect_server.choose()()
    assert os.environ["PREFECT_API_URL"] != f"{url}/api"


def test_one_of_its_own_is_waited_for_and_ends_with_the_process(own):
    with servers.announced({"mlflow": "", "prefect": f"http://127.0.0.1:{free_port()}"}):
        prefect_server.choose()()
    [process] = own.processes
    assert servers.answers(os.environ["PREFECT_API_URL"])
    [(end, ended)] = own.at_exit
    assert ended is process
    end(process)
    assert process.returncode is not None
    assert os.environ["PREFECT_UI_URL"] == ""  # it shows no pages


def test_one_that_dies_at_its_start_is_told(own):
    own.code = "raise SystemExit(3)"
    with pytest.raises(WorkspaceError, match="received: one that ended with status 3"):
        prefect_server.choose()()


def test_one_that_is_not_ready_in_time_is_told(own, monkeypatch):
    own.code = "import time; time.sleep(60)"
    monkeypatch.setattr(prefect_server, "STARTUP_SECONDS", 0.5)
    with pytest.raises(WorkspaceError, match="received: one that was not ready"):
        prefect_server.choose()()


def test_it_outlives_no_kill_of_its_parent():
    """Which has no chance to end it."""
    code = (
        "import subprocess, sys, socket\n"
        "with socket.create_server(('127.0.0.1', 0)) as s:\n"
        f"    command = [sys.executable, '-c', {STAND_IN!r}, str(s.fileno())]\n"
        "    p = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[s.fileno()],\n"
        "                         start_new_session=True)\n"
        "print(p.pid, flush=True)\n"
        "p.wait()\n"
    )
    variables = environment(PYTHONPATH=str(ROOT))
    pipes = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], env=variables, **pipes) as parent:
        server = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    server.wait(10)


def test_prefect_is_patient_wherever_it_starts_a_server_itself():
    code = "import flows, os; print(os.environ['PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert done.stdout == "300\n"


def test_a_socket_that_is_handed_on_is_no_longer_held_here(own):
    prefect_server.choose()()
    [process] = own.processes
    process.kill()
    process.wait()
    port = int(os.environ["PREFECT_API_URL"].split(":")[2].partition("/")[0])
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1)
