"""Make a version once more, in a folder of its own: `python -m tasks.reproduce VERSION`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry.reproduction import reproduce


@command
def main() -> None:
    """Repeat it and compare digests; status 1 where it is another model."""
    parser = argparse.ArgumentParser(prog="python -m tasks.reproduce", description=__doc__)
    parser.add_argument("version", type=int)
    parser.add_argument("folder", nargs="?", type=Path, help="default: reproduced_<version>")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(f"reproduced_{arguments.version}")
    same = reproduce(load(Params).publish.model_name, arguments.version, folder.resolve())
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
