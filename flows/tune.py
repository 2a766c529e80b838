"""Tune: search for better settings of training on the data that are here.

python -m flows.tune [--apply]      --apply: change params.yaml, too
"""

from __future__ import annotations

import signal
import sys

from flows import processes
from tasks.common import half_written, preflight
from tasks.common.errors import MedloopError


def main() -> int:
    """Bring the data up to date and search; 1 where that failed, `processes.STOPPED` where it was
    stopped.
    """
    try:
        with processes.stoppable(signal.SIGINT, signal.SIGTERM), processes.only_flow():
            processes.end_orphans()
            preflight.require()
            for removed in half_written.clear():
                print(removed, file=sys.stderr)
            for step in steps():
                processes.run([sys.executable, "-m", *step], lambda line: print(line, flush=True))
    except (MedloopError, processes.BusyError, processes.CommandError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except processes.StoppedError:
        print("\nStopped; run it again to go on.")
        return processes.STOPPED
    return 0


def steps() -> list[list[str]]:
    """What is run: the stages that training reads of, and the search."""
    return [["dvc", "repro", "augment"], ["tasks.tune", *sys.argv[1:]]]


if __name__ == "__main__":
    sys.exit(main())
