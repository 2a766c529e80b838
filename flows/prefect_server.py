"""Which Prefect server a flow reports to.

The one that `PREFECT_API_URL` names, else that of `make server` of this workspace, else one of its
own, which ends with the flow. Prefect would start such a one too, but in the flow's own process
group: Ctrl-C in a terminal would end it before the flow has told it how it ended, and a kill of the
flow would leave it behind.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from flows import STARTUP_SECONDS
from tasks.common import paths, servers
from tasks.common.errors import WorkspaceError

VARIABLE = "PREFECT_API_URL"
END_SECONDS = 10.0


def choose() -> Callable[[], None]:
    """Name the server in `PREFECT_API_URL`, to be done before Prefect is imported; gives what waits
    until it answers.

    Raises:
        WorkspaceError: the server that the environment names does not answer; raised by what is
            given, too, where one of its own does not start.
    """
    paths.state().mkdir(parents=True, exist_ok=True)  # Prefect makes its home, but not that
    if named := os.environ.get(VARIABLE):
        servers.require_prefect(named)
        return lambda: None
    running = servers.recorded().get("prefect", "")
    if running and servers.answers(f"{running}/api/health"):
        os.environ[VARIABLE] = f"{running}/api"
        return lambda: None
    process, os.environ[VARIABLE] = _own()
    return partial(_wait, process, f"{os.environ[VARIABLE]}/health")


def _own() -> tuple[subprocess.Popen[bytes], str]:
    """A server that ends with this process, and where its API will be."""
    with socket.create_server((servers.HOST, 0)) as listening:
        process = _start(listening)
        url = f"http://{servers.HOST}:{listening.getsockname()[1]}/api"
    os.environ["PREFECT_UI_URL"] = ""  # it shows no pages, so the log is not to name any
    # Registered before Prefect's own, it runs after them: they send the last lines of the log.
    atexit.register(_end, process)
    return process, url


def _start(listening: socket.socket) -> subprocess.Popen[bytes]:
    """The server, in a session of its own, with the end of a pipe that closes with this process."""
    number = listening.fileno()
    command = [sys.executable, "-m", "flows.temporary_server", str(number)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, pass_fds=[number], start_new_session=True
    )


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    """What connects before the server is ready waits in its queue."""
    end = time.monotonic() + STARTUP_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if servers.answers(url, end - time.monotonic()):
            return
    why = "was not ready" if process.poll() is None else f"ended with status {process.returncode}"
    raise WorkspaceError(
        f"required: Prefect's server, within {STARTUP_SECONDS} s; received: one that {why}. Where "
        f"it says nothing above, move {paths.StateEntry.PREFECT.path} away and run it again"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
