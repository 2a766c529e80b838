"""Make alias and ledger agree: `python -m tasks.watch`; every flow and `make server` look."""

from __future__ import annotations

from tasks.common import champion
from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params


@command
def main() -> None:
    """Enter a promotion that was done in MLflow, or put the alias back."""
    settings = load(Params)
    name = settings.publish.model_name
    if not champion.differs(name):
        print(f"The alias champion of {name} is where the ledger has it")
        return
    from tasks.registry.watching import watch  # imports MLflow, which takes seconds

    watch(name, settings.gate.approvers)


if __name__ == "__main__":
    main()
