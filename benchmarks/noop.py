"""What a flow costs that has nothing to do, over a bare `dvc repro` of the same workspace.

    python -m benchmarks.noop [WORKSPACE]      default: this folder, after `make retrain`

Both are timed in turn, the flow with a Prefect server that runs already, as that of `make server`
does. Beside it, once per round, the flow with a server of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.result import report
from flows import STARTUP_SECONDS, processes
from tasks.common import paths, servers

GOAL = 4.0  # times a bare `dvc repro`
ROUNDS = 5
FLOW = [sys.executable, "-m", "flows.retrain"]
REPRO = [sys.executable, "-m", "dvc", "repro"]
WHAT = {
    "repro": "dvc repro",
    "flow": "flow, server there",
    "alone": "flow, server of its own",
}


@contextmanager
def running_server() -> Iterator[str]:
    """A Prefect server over the workspace's own history; where its API is."""
    with socket.socket() as probe:
        probe.bind((servers.HOST, 0))
        port = str(probe.getsockname()[1])
    address = ["--host", servers.HOST, "--port", port]
    command = [sys.executable, "-m", "prefect", "server", "start", *address]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        command,
        env=processes.environment(),
        start_new_session=True,
        stdout=nowhere,
        stderr=nowhere,
    )
    yield from _answering(process, f"http://{servers.HOST}:{port}/api")


def _answering(process: subprocess.Popen[bytes], url: str) -> Iterator[str]:
    """`url` once the server answers there; it is ended afterwards."""
    try:
        end = time.monotonic() + STARTUP_SECONDS
        while not servers.answers(f"{url}/health"):
            if process.poll() is not None or time.monotonic() > end:
                sys.exit("Prefect's server did not start")
            time.sleep(0.5)
        yield url
    finally:
        processes.end_group(process.pid)
        process.wait()


def seconds(command: Sequence[str], extra: dict[str, str]) -> float:
    """How long a command takes."""
    begun = time.perf_counter()
    environment = processes.environment() | extra
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[1:])} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - begun


def main(arguments: Sequence[str]) -> None:
    """Time all in turn; the result is the ratio of the medians."""
    if arguments:
        os.chdir(Path(arguments[0]))
    if not paths.StateEntry.LAST_RUN.path.exists():
        sys.exit("required: a workspace in which `make retrain` has ended; received: another")
    os.environ["PREFECT_HOME"] = str(paths.StateEntry.PREFECT.path)
    times: dict[str, list[float]] = {name: [] for name in WHAT}
    with running_server() as url:
        seconds(FLOW, {"PREFECT_API_URL": url})  # whatever was left to do
        for _ in range(ROUNDS):
            times["repro"].append(seconds(REPRO, {}))
            times["flow"].append(seconds(FLOW, {"PREFECT_API_URL": url}))
            times["alone"].append(seconds(FLOW, {}))
    for name, told in WHAT.items():
        each = "  ".join(f"{value:5.1f}" for value in times[name])
        print(f"{told:26}{median(times[name]):6.1f} s   ({each})")
    report("noop", median(times["flow"]) / median(times["repro"]), GOAL, at_most=True)


if __name__ == "__main__":
    main(sys.argv[1:])
