"""Predict: what a promoted version says of many images.

python -m flows.predict INPUT [OUTPUT.parquet|.csv] [--version champion] [--paths] [--unpassed]
"""

from __future__ import annotations

import os
import sys

from flows import processes


def main() -> None:
    """Become the command that predicts: it needs no flow around it, and no server of Prefect's."""
    command = [sys.executable, "-m", "tasks.predict", *sys.argv[1:]]
    os.execve(command[0], command, processes.environment())


if __name__ == "__main__":
    main()
