"""The reference: the version that bounds the slide, since it does not move by itself.

Each champion may be a little worse than the one before, within the margin, and the next is held to
it: so quality creeps (Everson-Stewart & Emerson 2010, Stat. Med. 29:2769). Beside the champion of
the day every challenger is therefore held to the first champion, or to the version that a person
has named since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from tasks.common import labels
from tasks.common.errors import RegistryError
from tasks.registry import answers, ledger, model_versions, stored_scores

if TYPE_CHECKING:
    from tasks.common.params.task import Task
    from tasks.statistics import Array

ADVICE = "Name another with `python -m flows.promote --reference VERSION --reason WHY`"


@dataclass(frozen=True)
class Reference:
    """The number of the version, itself unless it was deleted, its digest, and its run."""

    number: int
    version: ModelVersion | None
    digest: str
    run_id: str | None

    @property
    def name(self) -> str:
        """How verdicts call it."""
        return f"the reference, version {self.number}"


def find(client: MlflowClient, name: str, others: Sequence[ModelVersion]) -> Reference | None:
    """The reference as the ledger has it; None where there is none yet, or it is one of `others`,
    which are judged anyway.
    """
    entry = ledger.reference(ledger.read(), name)
    if entry is None or (entry.version, entry.model_digest) in map(_identity, others):
        return None
    versions = {_identity(version): version for version in model_versions.every(client, name)}
    version = versions.get((entry.version, entry.model_digest))
    run_id = entry.facts.get("run_id") or (None if version is None else version.run_id)
    return Reference(entry.version, version, entry.model_digest, run_id)


def _identity(version: ModelVersion) -> tuple[int, str]:
    return int(version.version), model_versions.digest(version)


def scores(
    client: MlflowClient, reference: Reference, rows: pd.DataFrame, task: Task
) -> tuple[Array, list[str]]:
    """Its scores `(N, K)` of rows of the manifest, and what is to be said of them: those of its
    package or, where that no longer runs, those that were stored, NaN for images it never had.

    Raises:
        RegistryError: there are neither.
    """
    try:
        return _live(reference, rows, task).scores, []
    except RegistryError as error:
        classes = labels.scored(task.kind, task.names)
        table = stored_scores.load(client, reference.run_id)
        known = None if table is None else stored_scores.of_images(table, rows["image_id"], classes)
        if known is None or np.isnan(known).all():
            raise RegistryError(
                f"required: scores of {reference.name}; received: a package that does not run "
                f"({error}), and none that were stored of these images. {ADVICE}"
            ) from error
        having = int(np.isfinite(known).all(axis=1).sum())
        return known, [
            f"{reference.name} no longer runs: its stored scores judge the {having:,} of "
            f"{len(rows):,} images that it had"
        ]


def _live(reference: Reference, rows: pd.DataFrame, task: Task) -> answers.Answers:
    if reference.version is None:
        raise RegistryError(f"{reference.name} was deleted")
    return answers.of_version(reference.version, rows, task, {reference.digest}, "")
