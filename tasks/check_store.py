"""Look at the MLflow store before work depends on it: `python -m tasks.check_store`."""

from __future__ import annotations

from tasks.common.errors import command
from tasks.registry import store


@command
def main() -> None:
    """Check address, schema and room, and bring home a store that was moved with its workspace."""
    print(f"MLflow: {store.prepare()}")


if __name__ == "__main__":
    main()
