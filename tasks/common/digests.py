"""Digests: what makes two stages, results, data sets or models the same."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tasks.common import paths, pipeline
from tasks.common.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NOT_OF_RESULT = ("code", "publish")  # stages


def of_bytes(*parts: bytes) -> str:
    """sha256 of the parts, each preceded by its length, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def of_json(value: Any) -> str:
    """sha256 of a JSON value; the order of keys does not count."""
    return of_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def of_file(path: Path) -> str:
    """sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_table(table: pd.DataFrame, columns: Iterable[str]) -> str:
    """sha256 of the given columns of `table`, rows in the order of `image_id`."""
    rows = table.sort_values("image_id")[list(columns)].astype("str")
    return of_json(rows.to_numpy().tolist())


def of_model(path: Path) -> str:
    """sha256 of a `.keras` file's config and weights; its save date does not count."""
    with zipfile.ZipFile(path) as archive:
        return of_bytes(*(archive.read(name) for name in ("config.json", "model.weights.h5")))


def of_result(lock: Path = paths.DVC_LOCK) -> str:
    """The result's digest: that of `dvc.lock` without `publish`, whose own entry comes and goes,
    and without `code`, which an edit anywhere changes: each stage names its own code.

    Raises:
        DataError: there is no `dvc.lock` yet.
    """
    if not lock.exists():
        raise DataError(f"{lock} not found: `dvc repro` writes it")
    stages = YAML(typ="safe").load(lock)["stages"]
    return of_json({name: entry for name, entry in stages.items() if name not in NOT_OF_RESULT})


def of_stage(stage: str) -> str:
    """The key of a stage's result: its files' contents and its parameters as `dvc.yaml` names
    them. Folders among the deps are left out, the tables that stand for them are not.
    """
    params, deps = YAML(typ="safe").load(paths.PARAMS), pipeline.deps(stage)
    stand_in = [paths.START_FACTS] if paths.START in deps else []
    files = {str(dep): of_file(dep) for dep in [*deps, *stand_in] if dep.is_file()}
    keys = pipeline.stages()[stage]["params"]
    values = {key: reduce(getitem, key.split("."), params) for key in keys}
    return of_json({"files": files, "params": values})
