"""A whole flow that is stopped or killed while a step runs, with a server of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import psutil
import pytest
from worlds.loopback import wait_for
from worlds.project import environment, make_project

pytestmark = pytest.mark.slow


def stopped(folder, number, whole_group):
    """A flow that gets a signal in its first step: its status, what it said, and its children."""
    command = [sys.executable, "-m", "flows.retrain"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(
        command, cwd=folder, env=environment(), start_new_session=True, **pipes
    ) as flow:
        said = [next(line for line in flow.stdout if "2 of 17: pull" in line)]
        wait_for(lambda: len(psutil.Process(flow.pid).children()) == 2, 60, "pull")
        children = psutil.Process(flow.pid).children()
        (os.killpg if whole_group else os.kill)(flow.pid, number)
        said += flow.stdout if number != signal.SIGKILL else []
    return flow.returncode, "".join(said), children


def state(folder):
    with closing(sqlite3.connect(folder / ".medloop/prefect/prefect.db")) as database:
        [(found,)] = database.execute("SELECT state_type FROM flow_run").fetchall()
    return found


@pytest.mark.parametrize(
    ("number", "whole_group"), [(signal.SIGINT, True), (signal.SIGTERM, False)]
)
def test_stopped_it_is_cancelled_and_leaves_nothing(tmp_path, number, whole_group):
    """A terminal sends Ctrl-C to the whole group, a service manager SIGTERM to the process."""
    folder = make_project(tmp_path / "project")
    status, said, children = stopped(folder, number, whole_group)
    assert status == 130
    assert said.endswith("\nStopped; run it again to go on.\n")
    for noise in ("Traceback", "Crash", "Error logging"):
        assert noise not in said
    assert state(folder) == "CANCELLED"
    assert not any(child.is_running() for child in children)


def test_killed_it_leaves_no_server(tmp_path):
    _, _, children = stopped(make_project(tmp_path / "project"), signal.SIGKILL, whole_group=False)
    server = children[0]  # it was started first
    server.wait(20)
    for child in children:
        if child.is_running():
            os.killpg(child.pid, signal.SIGKILL)  # the next flow would
