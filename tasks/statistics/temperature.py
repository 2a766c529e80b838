"""One number that makes scores surer or less sure: the temperature of Guo et al. 2017 (ICML).

It divides the logits. The order of one output's scores stays, and with the threshold moved along
every prediction; in a multiclass task, whose scores share one sum, the highest stays the highest,
while the order of images by one class may change a little.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp, softmax

from tasks.statistics import Array
from tasks.statistics.calibration import EPSILON, logit

RANGE = (0.05, 20.0)  # of temperatures that are looked at
DIGITS = 4  # as it is stored and used


def fit(kind: str, targets: Array, scores: Array) -> float:
    """The temperature with the least cross-entropy on the images given, those of val: one for all
    outputs, targets and scores `(N, K)`.

    It is 1, which changes nothing, where there is none: where every score lies on the right side
    of 0.5, the surer the better; where none says more than 0.5 does, the less sure.
    """
    logits = _logits(kind, scores)

    def loss(log_temperature: float) -> float:
        z = logits / math.exp(log_temperature)
        if kind == "multiclass":
            return float((logsumexp(z, axis=1) - (targets * z).sum(axis=1)).mean())
        return float((np.logaddexp(0, z) - targets * z).mean())

    low, high = (math.log(end) for end in RANGE)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded").x
    if min(found - low, high - found) < 1e-3:
        return 1.0
    return round(math.exp(found), DIGITS)


def apply(kind: str, scores: Array, temperature: float) -> Array:
    """The scores `(N, K)` at that temperature."""
    logits = _logits(kind, scores) / temperature
    return np.asarray(softmax(logits, axis=1) if kind == "multiclass" else expit(logits))


def _logits(kind: str, scores: Array) -> Array:
    """What the scores are the sigmoid of, or in a multiclass task the softmax."""
    return np.log(np.maximum(scores, EPSILON)) if kind == "multiclass" else logit(scores)
