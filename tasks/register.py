"""Register the result's model: `python -m tasks.register`."""

from __future__ import annotations

from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry.registration import register


@command
def main() -> None:
    """Register what `publish` recorded last."""
    register(load(Params))


if __name__ == "__main__":
    main()
