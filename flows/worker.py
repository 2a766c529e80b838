"""The worker of the schedule in `prefect.yaml`: deploy it, and run what is due. `make worker`.

Ctrl-C ends it with the flow that it runs, which is told first: Prefect's worker would kill that,
and the server would count it as running for good.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from flows import processes
from tasks.common import paths, preflight, servers
from tasks.common.errors import MedloopError, WorkspaceError

POOL = "medloop"
PREFECT = [sys.executable, "-m", "prefect"]
SECONDS = 60.0  # for a flow, and then for the worker, to end


def main() -> int:
    """Work until Ctrl-C or SIGTERM; the status is 0 then, else that of what failed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        preflight.require()
        environment = processes.environment() | _about()
        paths.state().mkdir(parents=True, exist_ok=True)  # Prefect makes its home, but not that
        _deploy(environment)
    except MedloopError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 0
    command = [*PREFECT, "worker", "start", "--pool", POOL]
    worker = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return worker.wait()
    except KeyboardInterrupt:
        print("Ending ...", flush=True)
        _end(worker)
        return 0


def _about() -> dict[str, str]:
    """What the worker and its flows must know: the server, and where the project lies.

    Raises:
        WorkspaceError: no server answers.
    """
    running = servers.recorded().get("prefect")
    url = os.environ.get("PREFECT_API_URL") or (f"{running}/api" if running else "")
    if not url:
        raise WorkspaceError(
            "required: a Prefect server, for the schedule; received: none of this workspace. "
            "Start `make server` in another terminal, or let PREFECT_API_URL name one"
        )
    servers.require_prefect(url)
    return {"PREFECT_API_URL": url, "MEDLOOP_HOME": str(Path.cwd())}


def _deploy(environment: dict[str, str]) -> None:
    """The work pool, which stays where there is one, and what `prefect.yaml` deploys."""

    def prefect(*arguments: str, **options: Any) -> int:
        return subprocess.run([*PREFECT, *arguments], env=environment, **options).returncode

    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if prefect("work-pool", "inspect", POOL, **quiet) != 0:
        prefect("work-pool", "create", POOL, "--type", "process", check=True)
    prefect("--no-prompt", "deploy", "--all", check=True)


def _end(worker: subprocess.Popen[bytes]) -> None:
    """First the flows, which tell the server, then the worker; whoever does not end is killed."""
    try:
        flows = psutil.Process(worker.pid).children()
    except psutil.NoSuchProcess:
        return
    for flow in flows:
        flow.send_signal(signal.SIGINT)
    psutil.wait_procs(flows, timeout=SECONDS)
    worker.send_signal(signal.SIGINT)
    try:
        worker.wait(SECONDS)
    except subprocess.TimeoutExpired:
        processes.end_group(worker.pid)


if __name__ == "__main__":
    sys.exit(main())
