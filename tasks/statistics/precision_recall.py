"""The area under the precision-recall curve."""

from __future__ import annotations

import math

import numpy as np

from tasks.statistics import Array
from tasks.statistics.intervals import UNDEFINED, Estimate, wilson
from tasks.statistics.patients import Patients

PRIOR = 75  # images of the finding, as in `areas`


def auprc(targets: Array, scores: Array, patients: Patients, confidence: float) -> Estimate:
    """Average precision, without interpolation (Davis & Goadrich 2006, ICML; scikit-learn's
    `average_precision_score`): the mean over the positives of the precision at each.

    The interval is Wilson's of such a mean (near the binomial one of Boyd et al. 2013, ECML PKDD),
    its variance between that of independent positives and the one that is seen, as in `areas`.
    """
    positives = float(targets.sum())
    if positives == 0:
        return Estimate(UNDEFINED, np.zeros(patients.count))
    value, influence = _average_precision(targets, scores)
    totals = patients.totals(influence)
    most = patients.images_per_patient(targets)
    size = positives / patients.design_effect(influence, most)
    model = value * (1 - value) / size
    seen = patients.variance(totals) / model if model > 1e-12 else 1.0
    scale = (size * seen + PRIOR) / (size + PRIOR)
    return Estimate(wilson(value, size / scale, confidence), totals)


def _average_precision(targets: Array, scores: Array) -> tuple[float, Array]:
    """The value, and its influence `(N,)`: an image changes the precision at its own score, if it
    is a positive, and at every lower one.
    """
    order = np.argsort(-scores, kind="stable")
    descending, y = scores[order], targets[order]
    last = np.flatnonzero(np.diff(descending, append=-math.inf) < 0)  # of each distinct score
    place = np.searchsorted(last, np.arange(len(y)))
    found, called = np.cumsum(y)[last], last + 1.0
    precision, positives = found / called, y.sum()
    here = np.diff(found, prepend=0)
    value = float(here @ precision / positives)
    # The sum over the positives at this score or below of the derivative of their precision.
    by_negative = -np.cumsum((here * found / called**2)[::-1])[::-1][place]
    by_positive = np.cumsum((here * (called - found) / called**2)[::-1])[::-1][place]
    change = np.where(y > 0, precision[place] - value + by_positive, by_negative) / positives
    influence = np.empty(len(y))
    influence[order] = change
    return min(value, 1.0), influence
