"""The two UIs on loopback, over the stores this project uses: MLflow and Prefect.

python -m flows.server      Ctrl-C ends both; MLFLOW_PORT and PREFECT_SERVER_API_PORT set the ports
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from flows import processes
from flows.watch import Lookout
from tasks.common import mlflow_server, paths, preflight, servers
from tasks.common.errors import MedloopError, WorkspaceError
from tasks.common.servers import HOST

POLL_SECONDS = 0.5


def commands(ports: Mapping[str, int]) -> dict[str, list[str]]:
    """How the servers are started, by name; a tracking server elsewhere needs none here."""
    options = {server: ["--host", HOST, "--port", str(port)] for server, port in ports.items()}
    mlflow = [sys.executable, "-m", "mlflow", "server", *options["mlflow"]]
    store = ["--backend-store-uri", paths.tracking_uri(), "--workers", "1"]
    artifacts = ["--artifacts-destination", str(paths.store() / "artifacts")]
    prefect = [sys.executable, "-m", "prefect", "server", "start", *options["prefect"]]
    return _here({"mlflow": [*mlflow, *store, *artifacts], "prefect": prefect})


def _here(servers_: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are started here."""
    return {name: value for name, value in servers_.items() if name != "mlflow" or not elsewhere()}


def elsewhere() -> bool:
    """Whether the MLflow store is a server of its own."""
    return mlflow_server.is_one(paths.tracking_uri())


def main() -> int:
    """Start both and wait; one that ends, ends the other. 0 where a person has ended them."""
    # A service manager asks with SIGTERM: end as Ctrl-C does, and leave no server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ports = _free_ports()
    except MedloopError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    paths.store().mkdir(parents=True, exist_ok=True)
    urls = {server: f"http://{HOST}:{port}" for server, port in ports.items()}
    urls |= {"mlflow": mlflow_server.address(paths.tracking_uri())} if elsewhere() else {}
    print(f"MLflow   {urls['mlflow'].rstrip('/')}/#/models{servers.OF_UI}")
    print(f"Prefect  {urls['prefect']}")
    print("Ctrl-C ends what was started here.", flush=True)
    with servers.announced(urls):
        return _serve(commands(ports))


def _free_ports() -> dict[str, int]:
    """The ports to listen on.

    Raises:
        WorkspaceError: here is no project, its servers run already, or another program listens.
    """
    preflight.folder()
    preflight.state()
    processes.end_orphans()
    if running := servers.recorded():
        raise WorkspaceError(
            f"required: one `make server` in a workspace; received: one that runs already, with "
            f"MLflow on {running['mlflow']} and Prefect on {running['prefect']}"
        )
    ports = servers.ports()
    servers.require_free(_here(ports))
    return ports


def _serve(started: Mapping[str, Sequence[str]]) -> int:
    """Run commands until one ends or Ctrl-C; none is left."""
    running = {}
    with ExitStack() as stack:
        lookout = Lookout(lambda command: _start(command, stack))
        try:
            for name, command in started.items():
                running[name] = _start(command, stack)
            while True:
                for name, process in running.items():
                    if process.poll() is not None:
                        told = f"{name} ended with status {process.returncode}"
                        print(f"{told}, so the other is ended too; see above", file=sys.stderr)
                        return 1
                lookout.look()
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            print("Ending ...")
            return 0


def _start(command: Sequence[str], stack: ExitStack) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, env=processes.environment(), start_new_session=True)
    stack.callback(processes.end_group, process.pid)
    return process


if __name__ == "__main__":
    sys.exit(main())
