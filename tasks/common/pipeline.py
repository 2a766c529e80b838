"""What `dvc.yaml` says of the stages: it is their one definition, so whoever needs it reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tasks.common import paths
from tasks.common.errors import DataError


def stages() -> dict[str, Any]:
    """The entries of the stages by name, in the order that they run."""
    found: dict[str, Any] = YAML(typ="safe").load(paths.DVC_YAML)["stages"]
    return found


def deps(stage: str) -> list[Path]:
    """The files and folders that a stage depends on."""
    return [Path(dep) for dep in stages()[stage]["deps"]]


def outs(stage: str) -> list[Path]:
    """The files and folders that a stage makes, metrics and plots included."""
    entry = stages()[stage]
    named = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, [])]
    return [Path(out if isinstance(out, str) else next(iter(out))) for out in named]


def require_inputs(stage: str) -> None:
    """Hold a stage that is called by hand to the order of the stages.

    Raises:
        DataError: what it depends on has not been made.
    """
    makers = {out: name for name in stages() for out in outs(name)} | {paths.RAW: "pull"}
    missing = [dep for dep in deps(stage) if dep.parent != paths.CODE and not dep.exists()]
    lacking = [f"{dep} (made by {makers[dep]})" for dep in missing if dep in makers]
    if lacking:
        raise DataError(
            f"required: {', '.join(lacking)}; received: none of them. `make retrain` pulls and "
            f"makes all; `dvc repro {stage}` makes what {stage} needs of the images that are here"
        )
