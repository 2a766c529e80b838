"""Promote: `python -m tasks.promote [VERSION]` moves `champion`; the flow promote calls it."""

from __future__ import annotations

import argparse

from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry.promotion import promote


@command
def main() -> None:
    """Promote a version that passed the gate, by default the challenger."""
    parser = argparse.ArgumentParser(prog="python -m tasks.promote", description=__doc__)
    parser.add_argument("version", nargs="?", type=int, help="default: the challenger")
    promote(load(Params).publish.model_name, parser.parse_args().version)


if __name__ == "__main__":
    main()
