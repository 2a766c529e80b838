"""Register the result's model: `python -m tasks.register`."""

from __future__ import annotations

from tasks.common import pipeline
from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import settled


@command
def main() -> None:
    """Register what `publish` recorded last, unless that is done."""
    settings = load(Params)
    pipeline.require_inputs("publish")
    if known := settled.said(settings):
        print(f"{known['model_name']} version {known['version']}: registered already")
        return
    from tasks.registry.registration import register  # imports MLflow, which takes seconds

    register(settings)


if __name__ == "__main__":
    main()
