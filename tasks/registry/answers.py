"""What a version answers on test images, from its own package in a process of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from tasks.common import labels
from tasks.common.errors import RegistryError
from tasks.registry import ledger, model_versions, scoring
from tasks.statistics import Array

if TYPE_CHECKING:
    from tasks.common.params.task import Task

# What to do where nothing can be compared with the champion.
INSTEAD = (
    "Restore it from a backup, or promote another version that passed: `python -m flows.promote "
    "VERSION`. Where none is left, a new name in publish.model_name begins anew"
)
ANEW = "Delete the version and its run, and `dvc repro publish && python -m tasks.register`"


@dataclass(frozen=True)
class Answers:
    """Scores and predictions `(N, K)`, and the seconds from starting the process to its end."""

    scores: Array
    predictions: Array
    seconds: float


def of_version(
    version: ModelVersion, rows: pd.DataFrame, task: Task, packages: Collection[str], advice: str
) -> Answers:
    """Run a version, whose package has one of these digests, on rows of the manifest.

    Raises:
        RegistryError: it does not run, or is another package; the message ends in `advice`.
    """
    print(f"Scoring version {version.version} on {len(rows)} test images ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / f"version_{version.version}"
        package = model_versions.unpack(version, place, advice)
        if package.digest not in packages:
            raise RegistryError(
                f"required: the package that was registered as {version.name} version "
                f"{version.version}; received: another one, its files or its tag "
                f"{model_versions.PACKAGE} was edited. {advice}"
            )
        started = time.monotonic()
        table = scoring.ask(package.folder, rows)
        seconds = time.monotonic() - started
        classes = labels.scored(task.kind, task.names)
        scores = scoring.scores_in(table, classes, package.folder.name)
        return Answers(scores, scoring.predictions_in(table, task.kind, classes), seconds)


def held_to(version: ModelVersion) -> set[str]:
    """What its package may be: as it was judged, or, where it never was, as it was registered."""
    judged = ledger.digests_of(ledger.read(), version.name, int(version.version))
    return judged or {model_versions.digest(version)}
