"""Promote: move the alias `champion` to a version that passed the gate.

python -m flows.promote [VERSION]      default: the challenger
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.retrain import run_command


@flow(name="promote")
def promote(version: int | None = None) -> State[Any]:
    """Move `champion` to `version`, or to the challenger; the ledger must say that it passed."""
    command = [sys.executable, "-m", "tasks.promote"]
    chosen = [] if version is None else [str(version)]
    return run_command.with_options(name="promote")(
        "promote", [*command, *chosen], return_state=True
    )


def main() -> int:
    """Promote from the command line; 1 where the registry refused."""
    parser = argparse.ArgumentParser(prog="python -m flows.promote", description=__doc__)
    parser.add_argument("version", nargs="?", type=int)
    state = promote(parser.parse_args().version, return_state=True)
    return 0 if state.is_completed() else 1


if __name__ == "__main__":
    sys.exit(main())
