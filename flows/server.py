"""The two UIs on loopback, over the stores this project uses: MLflow and Prefect.

python -m flows.server      Ctrl-C ends both
"""

from __future__ import annotations

import signal
import subprocess
import sys

from flows import processes
from tasks.common import paths

MLFLOW_PORT = 5000
PREFECT_PORT = 4200
HOST = "127.0.0.1"


def commands() -> list[list[str]]:
    """How the servers are started; a tracking server elsewhere needs none here."""
    module = [sys.executable, "-m"]
    mlflow = [*module, "mlflow", "server", "--host", HOST, "--port", str(MLFLOW_PORT)]
    store = ["--backend-store-uri", paths.tracking_uri(), "--workers", "1"]
    artifacts = ["--artifacts-destination", str(paths.store() / "artifacts")]
    prefect = [*module, "prefect", "server", "start", "--host", HOST, "--port", str(PREFECT_PORT)]
    if elsewhere():
        return [prefect]
    return [[*mlflow, *store, *artifacts], prefect]


def elsewhere() -> bool:
    """Whether the MLflow store is a server of its own."""
    return paths.tracking_uri().startswith(("http://", "https://"))


def main() -> None:
    """Start both and wait; one that ends, ends the other."""
    # A service manager asks with SIGTERM: end as Ctrl-C does, and leave no server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    paths.store().mkdir(parents=True, exist_ok=True)
    print(f"MLflow   {paths.tracking_uri() if elsewhere() else f'http://{HOST}:{MLFLOW_PORT}'}")
    print(f"Prefect  http://{HOST}:{PREFECT_PORT}")
    print("Ctrl-C ends what was started here.", flush=True)
    started = [
        subprocess.Popen(command, env=processes.environment(), start_new_session=True)
        for command in commands()
    ]
    try:
        while all(process.poll() is None for process in started):
            try:
                started[0].wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                continue
    except KeyboardInterrupt:
        print("Ending ...")
    finally:
        for process in started:
            processes.end_group(process.pid)


if __name__ == "__main__":
    main()
