"""Promote: move the alias `champion` to a version that passed the gate, and look back or roll back.

python -m flows.promote [VERSION] [--reason WHY] [--by NAME]      default: the challenger
python -m flows.promote --help                                    what else it does
"""

from __future__ import annotations

import os
import sys

from flows import processes


def main() -> None:
    """Become the command that promotes: it needs no flow around it, and no server of Prefect's."""
    command = [sys.executable, "-m", "tasks.promote", *sys.argv[1:]]
    os.execve(command[0], command, processes.environment())


if __name__ == "__main__":
    main()
