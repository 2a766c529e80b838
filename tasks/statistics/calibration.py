"""How far scores are probabilities: expected calibration error and calibration slope."""

from __future__ import annotations

import math

import numpy as np

from tasks.statistics import Array
from tasks.statistics.intervals import UNDEFINED, Interval, deviate
from tasks.statistics.patients import Patients

EPSILON = 1e-7  # scores are kept this far from 0 and 1 in logarithms, as Keras does
BINS = 10
STEPS, CLOSE = 50, 1e-10  # of Newton's method
STEEPEST = 100.0  # a slope past which the scores part the outcomes and there is none


def error(outcomes: Array, confidences: Array) -> float:
    """Expected calibration error over bins of equal width: the mean distance of mean confidence
    and outcome rate, weighted by the images in the bin (Naeini et al. 2015, AAAI).
    """
    if not len(outcomes):
        return math.nan
    place = np.minimum((confidences * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(place, confidences - outcomes)).sum() / len(outcomes))


def logit(scores: Array) -> Array:
    """The logarithm of the odds, of scores kept away from 0 and 1."""
    kept = np.clip(scores, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(kept / (1 - kept)))


def slope(targets: Array, scores: Array, patients: Patients, confidence: float) -> Interval:
    """Slope of the logistic regression of targets `(N,)` on the logit of the scores: 1 is right,
    less is too sure (Cox 1958, Biometrika 45:562; Van Calster et al. 2019, BMC Med. 17:230). The
    interval is Wald's with patients as units. Not defined where scores part the outcomes wholly.
    """
    x = np.column_stack([np.ones(len(scores)), logit(scores)])
    fitted = _logistic(x, targets)
    if fitted is None:
        return UNDEFINED
    weights, inverse = fitted
    influence = ((targets - _expit(x @ weights))[:, None] * x @ inverse)[:, 1]
    reach = deviate(confidence) * math.sqrt(patients.variance(patients.totals(influence)))
    value = float(weights[1])
    return Interval(value, value - reach, value + reach)


def _logistic(x: Array, targets: Array) -> tuple[Array, Array] | None:
    """Weights of a logistic regression without penalty, and the inverse of its information; None
    where there is no maximum.
    """
    weights = np.zeros(x.shape[1])
    for _ in range(STEPS):
        given = _expit(x @ weights)
        information = (x * (given * (1 - given))[:, None]).T @ x
        if np.linalg.cond(information) > 1 / np.finfo(float).eps:
            return None
        inverse = np.linalg.inv(information)
        step = inverse @ (x.T @ (targets - given))
        weights = weights + step
        if abs(weights[1]) > STEEPEST:
            return None
        if np.abs(step).max() < CLOSE:
            return weights, np.asarray(inverse)
    return None


def _expit(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -700, 700))))
