"""Judge the registered version of the workspace's model: `python -m tasks.gate`."""

from __future__ import annotations

from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry.gate import gate


@command
def main() -> None:
    """Hold the gate; what it says goes to the ledger."""
    gate(load(Params))


if __name__ == "__main__":
    main()
