"""The score table: one row a val or test image, with its label and its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels
from tasks.common.errors import DataError, TrainingError
from tasks.statistics.metrics import Sample
from tasks.statistics.operating_point import OperatingPoint
from tasks.statistics.weighted import Array

if TYPE_CHECKING:
    from tasks.common.params.task import Task


def make(rows: pd.DataFrame, scores: NDArray[np.floating[Any]]) -> pd.DataFrame:
    """The table: image_id, group, split, label and `score_<k>` of each output.

    Args:
        rows: of the manifest.
        scores: `(N, K)`.

    Raises:
        TrainingError: a score is not a finite number.
    """
    if not np.isfinite(scores).all():
        broken = int((~np.isfinite(scores)).any(axis=1).sum())
        raise TrainingError(
            f"required: finite scores; received: {broken} of {len(scores)} images with NaN or "
            "infinity. The training diverged: lower train.learning_rate or fine_tune.learning_rate"
        )
    named = {f"score_{k}": column for k, column in enumerate(scores.T)}
    return rows[["image_id", "group", "split", "label"]].reset_index(drop=True).assign(**named)


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
