"""The thresholds past which a score is a prediction: fitted on val, applied to test unchanged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DataError
from tasks.statistics import Array


@dataclass(frozen=True)
class OperatingPoint:
    """`thresholds` by class, or None where the class with the highest score wins."""

    rule: str
    target: float
    thresholds: dict[str, float] | None

    def to_json(self) -> dict[str, Any]:
        """As stored with the model; `OperatingPoint(**value)` reads it."""
        return {"rule": self.rule, "target": self.target, "thresholds": self.thresholds}

    def predict(self, scores: Array) -> Array:
        """Predictions `(N, K)` in {0, 1} of scores `(N, K)`; one on the threshold is positive."""
        if self.thresholds is None:
            highest: Array = np.eye(scores.shape[1])[scores.argmax(axis=1)]
            return highest
        past: Array = np.asarray(scores >= list(self.thresholds.values()), float)
        return past


def fit(
    kind: str, classes: Sequence[str], targets: Array, scores: Array, rule: str, target: float
) -> OperatingPoint:
    """Choose the thresholds on the images given, those of val.

    Args:
        kind: of the task; in a multiclass one the highest score wins.
        classes: the class behind each output.
        targets: `(N, K)`.
        scores: `(N, K)`.
        rule: youden, sensitivity or specificity, see `threshold`.
        target: what the rules sensitivity and specificity must reach.

    Raises:
        DataError: a class has no positives, or no negatives.
    """
    if kind == "multiclass":
        return OperatingPoint("argmax", target, None)
    for name, column in zip(classes, targets.T, strict=True):
        if column.all() or not column.any():
            raise DataError(
                f"required: images with and without {name!r} in val, to choose its threshold; "
                f"received: {len(column)} images, {int(column.sum())} with it. Raise split.val in "
                "params.yaml or add images"
            )
    pairs = zip(classes, targets.T, scores.T, strict=True)
    chosen = {name: threshold(y, s, rule, target) for name, y, s in pairs}
    return OperatingPoint(rule, target, chosen)


def threshold(targets: Array, scores: Array, rule: str, target: float) -> float:
    """The threshold of one output, halfway between two neighbouring scores or beyond their ends.

    `youden` has the highest sensitivity + specificity - 1 (Youden 1950, Cancer 3:32), among equals
    the lowest; `sensitivity` is the highest that reaches `target`, `specificity` the lowest.
    """
    distinct = np.unique(scores.astype(np.float64))
    halfway = (distinct[1:] + distinct[:-1]) / 2
    candidates = np.concatenate([distinct[:1], halfway, [np.nextafter(distinct[-1], np.inf)]])
    there = targets > 0
    missed, found = (_below(scores[side], candidates) for side in (there, ~there))
    positives, negatives = int(there.sum()), int((~there).sum())
    if rule == "sensitivity":
        return float(candidates[positives - missed >= _needed(target, positives)][-1])
    if rule == "specificity":
        return float(candidates[found >= _needed(target, negatives)][0])
    # Whole numbers, so that equals are equal: the sum of both shares times the number of pairs.
    return float(candidates[np.argmax((positives - missed) * negatives + found * positives)])


def _needed(target: float, images: int) -> int:
    """How many of the images a share of `target` asks for, as written: 0.66 of 50 is 33, not 34."""
    return math.ceil(Fraction(str(target)) * images)


def _below(scores: Array, candidates: Array) -> NDArray[np.int64]:
    return np.searchsorted(np.sort(scores), candidates, side="left")
