"""The operating point is fitted on val and applied to test unchanged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DataError
from tasks.statistics import Array, youden
from tasks.statistics.operating_point import OperatingPoint


def fit(
    kind: str,
    classes: Sequence[str],
    targets: Array,
    scores: Array,
    rule: str,
    target: float,
    even: Array,
) -> OperatingPoint:
    """Choose the thresholds on the images given, those of val.

    Args:
        kind: of the task; in a multiclass one the highest score wins.
        classes: the class behind each output.
        targets: `(N, K)`.
        scores: `(N, K)`.
        rule: youden, sensitivity or specificity, see `threshold`.
        target: what the rules sensitivity and specificity must reach.
        even: `(K,)`, see `youden.threshold`.

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
    outputs = zip(classes, targets.T, scores.T, even.tolist(), strict=True)
    chosen = {name: threshold(y, s, rule, target, own) for name, y, s, own in outputs}
    return OperatingPoint(rule, target, chosen)


def threshold(targets: Array, scores: Array, rule: str, target: float, even: float) -> float:
    """The threshold of one output.

    `youden` is where sensitivity + specificity is highest, as far as val can tell
    (`statistics.youden`). Of those halfway between two neighbouring scores or beyond their ends,
    `sensitivity` is the highest that reaches `target`, `specificity` the lowest.
    """
    if rule == "youden":
        return youden.threshold(targets, scores, even)
    distinct = np.unique(scores.astype(np.float64))
    halfway = (distinct[1:] + distinct[:-1]) / 2
    candidates = np.concatenate([distinct[:1], halfway, [np.nextafter(distinct[-1], np.inf)]])
    there = targets > 0
    missed, found = (_below(scores[side], candidates) for side in (there, ~there))
    positives, negatives = int(there.sum()), int((~there).sum())
    if rule == "sensitivity":
        return float(candidates[positives - missed >= _needed(target, positives)][-1])
    return float(candidates[found >= _needed(target, negatives)][0])


def _needed(target: float, images: int) -> int:
    """How many of the images a share of `target` asks for, as written: 0.66 of 50 is 33, not 34."""
    return math.ceil(Fraction(str(target)) * images)


def _below(scores: Array, candidates: Array) -> NDArray[np.int64]:
    return np.searchsorted(np.sort(scores), candidates, side="left")
