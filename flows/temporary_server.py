"""Prefect's server for one flow: `python -m flows.temporary_server FD`, by `prefect_server`.

It listens on the socket that it is given, and ends with its parent, however that ends: it reads
from a pipe of which the parent holds the other end.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

import uvicorn

APP = "prefect.server.api.server:create_app"
# As Prefect's own temporary server sets them: no UI, and only the services that a flow needs.
SETTINGS = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}
GRACE_SECONDS = 3  # for connections to be closed


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve until the parent closes the pipe."""
    os.environ.update(SETTINGS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = uvicorn.Config(
        APP, factory=True, log_level="error", timeout_graceful_shutdown=GRACE_SECONDS
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
