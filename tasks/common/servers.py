"""Where the two servers of `make server` listen, and whether this workspace's answer there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil

from tasks.common.documents import read_memo, write_json
from tasks.common.errors import WorkspaceError
from tasks.common.paths import StateEntry

HOST = "127.0.0.1"
# What sets the port of each: the variables that MLflow and Prefect themselves read.
VARIABLES = {"mlflow": "MLFLOW_PORT", "prefect": "PREFECT_SERVER_API_PORT"}
DEFAULTS = {"mlflow": 5000, "prefect": 4200}
ALLOWED = range(1, 65536)
SECONDS = 1.0  # for a program on this machine to answer
OF_UI = "?workflowType=machine_learning"  # behind a page of MLflow's: else it shows language models


def ports() -> dict[str, int]:
    """The ports of `mlflow` and `prefect`.

    Raises:
        WorkspaceError: a variable holds no port.
    """
    return {server: _port(variable, DEFAULTS[server]) for server, variable in VARIABLES.items()}


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or int(text) not in ALLOWED:
        raise WorkspaceError(f"required: a port in {variable}, 1 to 65535; received: {text!r}")
    return int(text)


def is_busy(port: int) -> bool:
    """Whether another program listens on a port of this machine."""
    try:
        socket.create_connection((HOST, port), SECONDS).close()
        return True
    except OSError:
        pass
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def require_free(wanted: Mapping[str, int]) -> None:
    """Hold the ports of servers to be free.

    Raises:
        WorkspaceError: other programs listen there.
    """
    busy = {VARIABLES[server]: port for server, port in wanted.items() if is_busy(port)}
    if not busy:
        return
    told = " and ".join(f"{port} ({variable})" for variable, port in busy.items())
    others = " ".join(f"{variable}={_next_free(port)}" for variable, port in busy.items())
    airplay = " On macOS AirPlay Receiver listens on 5000." * (5000 in busy.values())
    raise WorkspaceError(
        f"required: free ports for MLflow and Prefect; received: another program on {told}. End "
        f"it, or take other ports, such as `make server {others}`.{airplay}"
    )


def _next_free(port: int) -> int:
    return next(other for other in range(port + 1, ALLOWED.stop) if not is_busy(other))


@contextmanager
def announced(urls: Mapping[str, str]) -> Iterator[None]:
    """Let other processes of this workspace know where this one has `mlflow` and `prefect` listen.

    Only they may know: a server that listens on a usual port may be another workspace's.
    """
    write_json(StateEntry.SERVERS.path, {**urls, **_process(os.getpid())})
    try:
        yield
    finally:
        StateEntry.SERVERS.path.unlink(missing_ok=True)


def recorded() -> dict[str, str]:
    """Where `make server` of this workspace has its servers listen; empty if it does not run."""
    try:
        known = read_memo(StateEntry.SERVERS.path)
        runs = _process(known["pid"]) == {name: known[name] for name in ("pid", "started")}
        return {server: str(known[server]) for server in VARIABLES} if runs else {}
    except (ValueError, KeyError, TypeError, OverflowError, psutil.Error):
        return {}


def _process(pid: int) -> dict[str, float]:
    """What tells a process from another that is given its number later."""
    return {"pid": pid, "started": psutil.Process(pid).create_time()}


def answers(url: str, seconds: float = SECONDS) -> bool:
    """Whether a server answers at `url` with success."""
    import requests

    try:
        return requests.get(url, timeout=seconds).ok
    except requests.RequestException:
        return False


def require_prefect(url: str, seconds: float = 10.0) -> None:
    """Hold the Prefect server whose API is at `url` to answer.

    Raises:
        WorkspaceError: it does not.
    """
    if not answers(f"{url.rstrip('/')}/health", seconds):
        raise WorkspaceError(
            f"required: the Prefect server of PREFECT_API_URL; received: no answer from {url}. "
            "Start it (`make server`), or unset the variable: each run then starts its own"
        )
