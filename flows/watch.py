"""Watch: enter a promotion that was done in the browser, or put the alias back.

python -m flows.watch      once; `make server` looks every half minute
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from flows import prefect_server, processes
from tasks.common import champion
from tasks.common.errors import MedloopError
from tasks.common.params.loading import load
from tasks.common.params.publish import Publish
from tasks.common.params.section import Part

SECONDS = 30.0  # between two looks


class Settings(Part):
    """What a look reads of params.yaml."""

    publish: Publish


class Lookout:
    """Looks every so often, in milliseconds, and starts the flow where alias and ledger differ."""

    def __init__(self, start: Callable[[list[str]], subprocess.Popen[bytes]]) -> None:
        """`start` starts a command that ends with whoever looks."""
        self._start, self._next = start, time.monotonic()
        self._flow: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Look, if it is time to and no flow is at it."""
        if time.monotonic() < self._next or (self._flow and self._flow.poll() is None):
            return
        self._next = time.monotonic() + SECONDS
        if differs():
            self._flow = self._start([sys.executable, "-m", "flows.watch"])


def differs() -> bool:
    """Whether alias and ledger differ; not so while params.yaml cannot be read."""
    try:
        return champion.differs(load(Settings).publish.model_name)
    except MedloopError:
        return False


def main() -> int:
    """Run the flow once; 1 where it failed."""
    try:
        state = _watch()
    except MedloopError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0 if state.is_completed() else 1


def _watch() -> Any:
    """The final state of a run of the flow."""
    wait = prefect_server.choose()
    from flows.watching import watch  # Prefect takes seconds to import, while the server starts

    wait()
    with processes.stoppable(signal.SIGINT, signal.SIGTERM):
        return watch(return_state=True)


if __name__ == "__main__":
    sys.exit(main())
