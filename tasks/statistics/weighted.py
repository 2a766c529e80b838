"""Statistics of one output under weights `(R, N)`: one value for each of the R weightings.

A value that is not defined (no positives, no negatives, no images) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array, Array, Array], Array]


def mean(weights: Array, values: Array) -> Array:
    """Weighted mean of `values` `(N,)`."""
    return _ratio(weights @ values, weights.sum(axis=1))


def auroc(weights: Array, targets: Array, scores: Array) -> Array:
    """Area under the ROC curve: the share of pairs of a positive and a negative in which the
    positive scores higher, ties counted half (Hanley & McNeil 1982, Radiology 143:29).
    """
    positives, negatives = _by_score(weights, targets, scores)
    beaten = np.cumsum(negatives, axis=1) - negatives / 2
    won = np.einsum("rg,rg->r", positives, beaten)
    return _ratio(won, positives.sum(axis=1) * negatives.sum(axis=1))


def auprc(weights: Array, targets: Array, scores: Array) -> Array:
    """Area under the precision-recall curve as average precision, without interpolation
    (Davis & Goadrich 2006, ICML; scikit-learn's `average_precision_score`).
    """
    positives, negatives = _by_score(weights, targets, -scores)
    found = np.cumsum(positives, axis=1)
    precision = _ratio(found, found + np.cumsum(negatives, axis=1))
    gained = np.nansum(positives * precision, axis=1)
    return _ratio(gained, positives.sum(axis=1))


def sensitivity(weights: Array, targets: Array, predictions: Array) -> Array:
    """Share of the positives that are predicted positive."""
    return mean(weights * targets, predictions)


def specificity(weights: Array, targets: Array, predictions: Array) -> Array:
    """Share of the negatives that are predicted negative."""
    return mean(weights * (1 - targets), 1 - predictions)


def calibration_error(weights: Array, outcomes: Array, confidences: Array, bins: int = 10) -> Array:
    """Expected calibration error over bins of equal width: the mean distance of mean confidence
    and outcome rate, weighted by the images in the bin (Naeini et al. 2015, AAAI).
    """
    place = np.minimum((confidences * bins).astype(int), bins - 1)
    inside = place[:, None] == np.arange(bins)
    gaps = np.abs(weights @ ((confidences - outcomes)[:, None] * inside))
    return _ratio(gaps.sum(axis=1), weights.sum(axis=1))


def _by_score(weights: Array, targets: Array, scores: Array) -> tuple[Array, Array]:
    """Weight of the positives and of the negatives at each distinct score, ascending."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    ordered = weights[:, order]
    positives = np.add.reduceat(ordered * targets[order], starts, axis=1)
    return positives, np.add.reduceat(ordered, starts, axis=1) - positives


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
