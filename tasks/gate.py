"""Judge the registered version of the workspace's model: `python -m tasks.gate`."""

from __future__ import annotations

from tasks.common import pipeline
from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import settled


@command
def main() -> None:
    """Hold the gate, unless nothing is new; what it says goes to the ledger."""
    settings = load(Params)
    pipeline.require_inputs("publish")
    if known := settled.said(settings):
        print(f"{known['model_name']} version {known['version']} is judged: {known['verdict']}")
        return
    from tasks.registry.gate import gate  # imports MLflow, which takes seconds

    gate(settings)
    settled.remember(settings)


if __name__ == "__main__":
    main()
