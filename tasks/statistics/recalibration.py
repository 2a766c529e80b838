"""Scores made probabilities: one temperature, and a shift of each output.

The temperature divides the logits, so scores get surer or less sure (Guo et al. 2017, ICML); the
shift moves them up or down. For one output that is logistic recalibration, by slope and intercept
(Cox 1958, Biometrika 45:562); for several, bias-corrected temperature scaling (Alexandari et al.
2020, ICML). Class weights train a network as if every class were as frequent as the others: it is
the shift that brings scores back to how frequent they are in val.

The order of one output's scores stays, and with the threshold moved along every prediction. In a
multiclass task a shift would change which class is the highest, so there is the temperature alone;
the order of images by one class may change a little, as its scores share one sum.

Val is small and may be parted wholly by its scores, which would make any probability sure. So
targets are what a further image of the class would leave of them (Platt 1999, Advances in Large
Margin Classifiers): of N images with the finding each counts as (N + 1) / (N + 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax

from tasks.statistics import Array
from tasks.statistics.calibration import EPSILON, logit

TEMPERATURES = (0.05, 20.0)  # that are looked at
MOST_SHIFT = 20.0  # of a logit: past what float32 can tell from 0 and from 1
DIGITS = 4  # as they are stored and used
EXACT = 1e-12  # of the search for the least loss

Objective = Callable[[Array], tuple[float, Array]]


@dataclass(frozen=True)
class Recalibration:
    """A temperature, and the shift of each output `(K,)`; there is none in a multiclass task."""

    temperature: float
    shifts: tuple[float, ...]


def identity(kind: str, outputs: int) -> Recalibration:
    """What changes nothing."""
    return Recalibration(1.0, () if kind == "multiclass" else (0.0,) * outputs)


def fit(kind: str, targets: Array, scores: Array) -> Recalibration:
    """What has the least cross-entropy of Platt's targets on the images given, those of val:
    targets and scores `(N, K)`. It changes nothing where scores say no more than how frequent each
    class is.
    """
    slope, *shifts = _best(kind, targets, _logits(kind, scores), np.ones((2, scores.shape[1])))
    low, high = TEMPERATURES
    if not low * 1.001 < 1 / slope < high / 1.001:
        return identity(kind, scores.shape[1])
    return Recalibration(round(1 / slope, DIGITS), tuple(round(b, DIGITS) for b in shifts))


def apply(kind: str, scores: Array, found: Recalibration) -> Array:
    """The scores `(N, K)`, recalibrated."""
    logits = _logits(kind, scores) / found.temperature
    if kind == "multiclass":
        return np.asarray(softmax(logits, axis=1))
    return np.asarray(expit(logits + np.array(found.shifts)))


def loss(kind: str, targets: Array, scores: Array, weights: Array) -> float:
    """The cross-entropy of targets and scores `(N, K)` as they are, with the weights `(2, K)` of
    absent and present, of which a multiclass task takes those of present.
    """
    logits = _logits(kind, scores)
    as_it_is = np.array([1.0, *identity(kind, logits.shape[1]).shifts])
    return _objective(kind, targets, targets, logits, weights)(as_it_is)[0]


def loss_left(kind: str, targets: Array, scores: Array, weights: Array) -> float:
    """What recalibration with these weights leaves of `loss`."""
    logits = _logits(kind, scores)
    best = _best(kind, targets, logits, weights)
    return _objective(kind, targets, targets, logits, weights)(best)[0]


def _best(kind: str, targets: Array, logits: Array, weights: Array) -> Array:
    """Slope, that is one over the temperature, and shifts of the least loss by Platt's targets."""
    low, high = TEMPERATURES
    shifts = identity(kind, logits.shape[1]).shifts
    bounds = [(1 / high, 1 / low), *((-MOST_SHIFT, MOST_SHIFT) for _ in shifts)]
    objective = _objective(kind, targets, _platt(kind, targets), logits, weights)
    start = np.array([1.0, *shifts])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, tol=EXACT)
    return np.asarray(found.x)


def _platt(kind: str, targets: Array) -> Array:
    """Targets as if each class had been met once more with every answer."""
    present, count = targets.sum(axis=0), len(targets)
    if kind == "multiclass":
        answers, images = targets.shape[1], targets @ present
        return np.asarray((targets * images[:, None] + 1) / (images + answers)[:, None])
    above, below = (present + 1) / (present + 2), 1 / (count - present + 2)
    return np.asarray(np.where(targets > 0, above, below))


def _objective(
    kind: str, classes: Array, targets: Array, logits: Array, weights: Array
) -> Objective:
    """The loss, and its gradient, by slope and shifts: convex in these. `classes` are those that
    the weights are of.
    """
    absent, present = weights

    def categorical(x: Array) -> tuple[float, Array]:
        z, weight = logits * x[0], classes @ present / len(classes)
        value = weight @ (logsumexp(z, axis=1) - (targets * z).sum(axis=1))
        off = weight[:, None] * (softmax(z, axis=1) - targets)
        return float(value), np.array([(off * logits).sum()])

    def binary(x: Array) -> tuple[float, Array]:
        z = logits * x[0] + x[1:]
        weight = np.where(classes > 0, present, absent) / classes.size
        off = weight * (expit(z) - targets)
        value = (weight * (np.logaddexp(0, z) - targets * z)).sum()
        return float(value), np.array([(off * logits).sum(), *off.sum(axis=0)])

    return categorical if kind == "multiclass" else binary


def _logits(kind: str, scores: Array) -> Array:
    """What the scores are the sigmoid of, or in a multiclass task the softmax."""
    return np.log(np.maximum(scores, EPSILON)) if kind == "multiclass" else logit(scores)
