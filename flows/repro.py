"""Bring the results up to date with what is here: `dvc repro`, after the checks of every run.

python -m flows.repro [arguments of dvc repro]
"""

from __future__ import annotations

import os
import sys

from flows import processes
from tasks.common import half_written, preflight
from tasks.common.errors import command


@command
def main() -> None:
    """Become `dvc repro`, with this Python for its stages."""
    preflight.require()
    for removed in half_written.clear():
        print(removed, file=sys.stderr)
    repro = [sys.executable, "-m", "dvc", "repro", *sys.argv[1:]]
    os.execve(repro[0], repro, processes.environment())


if __name__ == "__main__":
    main()
