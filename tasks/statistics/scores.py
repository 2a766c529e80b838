"""The score table: one row per val or test image, with its label and its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels
from tasks.common.errors import DataError, TrainingError
from tasks.statistics import Array
from tasks.statistics.metrics import Sample
from tasks.statistics.operating_point import OperatingPoint

if TYPE_CHECKING:
    from tasks.common.params.task import Task


def make(rows: pd.DataFrame, scores: NDArray[np.floating[Any]]) -> pd.DataFrame:
    """The table: image_id, group, split, label and `score_<k>` of each output.

    Args:
        rows: of the manifest.
        scores: `(N, K)`.

    Raises:
        TrainingError: as in `check`.
    """
    check(scores)
    named = {f"score_{k}": column for k, column in enumerate(scores.T)}
    return rows[["image_id", "group", "split", "label"]].reset_index(drop=True).assign(**named)


def check(scores: NDArray[np.floating[Any]]) -> None:
    """Refuse scores `(N, K)` that nothing can be told from.

    Raises:
        TrainingError: see `fault`.
    """
    if problem := fault(scores):
        raise TrainingError(
            f"required: scores that say something; received: {problem}. The training diverged: "
            "lower train.learning_rate or fine_tune.learning_rate"
        )


def fault(scores: NDArray[np.floating[Any]]) -> str:
    """Why scores `(N, K)` cannot be judged: some are no numbers, or all images have the same;
    empty if they can.
    """
    broken = int((~np.isfinite(scores)).any(axis=1).sum())
    if broken:
        return f"{broken:,} of {len(scores):,} images with NaN or infinity"
    if len(scores) > 1 and (scores == scores[0]).all():
        return f"the same score for all of {len(scores):,} images"
    return ""


def of_split(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """The rows of val or test, with a fresh index.

    Raises:
        DataError: there are none.
    """
    rows = table[table["split"] == split].reset_index(drop=True)
    if rows.empty:
        raise DataError(
            f"required: images in {split}; received: none. Raise split.{split} in params.yaml"
        )
    return rows


def per_patient(table: pd.DataFrame, how: str) -> pd.DataFrame:
    """One row per patient and label, with the mean (`mean`) or highest (`max`) of its scores.

    A patient whose images have several labels, such as of a healthy and of a sick side, has a row
    for each: no one label would be right for all.
    """
    columns = [column for column in table if str(column).startswith("score_")]
    return table.groupby(["group", "label"], as_index=False, sort=True)[columns].agg(how)


def targets(table: pd.DataFrame, task: Task) -> Array:
    """Targets `(N, K)` of the table's labels."""
    return labels.encode(table["label"], task.kind, task.names).astype(np.float64)


def values(table: pd.DataFrame) -> Array:
    """Scores `(N, K)`."""
    count = sum(str(column).startswith("score_") for column in table.columns)
    return table[[f"score_{k}" for k in range(count)]].to_numpy(np.float64)


def sample(table: pd.DataFrame, task: Task, point: OperatingPoint) -> Sample:
    """The table's images with their predictions at the operating point."""
    given = values(table)
    return Sample(task.kind, targets(table, task), given, point.predict(given))
