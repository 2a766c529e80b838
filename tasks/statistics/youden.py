"""The threshold with the highest Youden index, of scores smoothed by kernels.

The index of the images themselves is a step function that peaks where chance has put one or two of
them, with val near perfection most of all; that of the smoothed scores peaks where most of them
agree (Fluss, Faraggi and Reiser 2005, Biom. J. 47:458). `python -m benchmarks.youden` measures what
that saves.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from tasks.statistics import Array
from tasks.statistics.calibration import logit

POINTS = 500  # that are looked at, between the lowest logit and the highest
CLOSE = 1e-12  # of what differs by less, the middle is taken


def threshold(targets: Array, scores: Array) -> float:
    """Where sensitivity + specificity - 1 (Youden 1950, Cancer 3:32) is highest for the smoothed
    scores of one output that has both outcomes: targets `(N,)`, scores `(N,)`.
    """
    logits, there = logit(scores), targets > 0
    points = np.linspace(logits.min(), logits.max(), POINTS)
    index = _above(logits[there], points) - _above(logits[~there], points)
    best = np.flatnonzero(index > index.max() - CLOSE)
    chosen = points[best[len(best) // 2]]
    # What the lowest logit comes back to may lie above its score by the last bit.
    return float(expit(chosen) if chosen > points[0] else scores.min())


def _above(logits: Array, points: Array) -> Array:
    """The share of the smoothed logits above each point."""
    width = bandwidth(logits)
    if width == 0:
        return np.array([(logits >= point).mean() for point in points])
    return np.array([ndtr((logits - point) / width).mean() for point in points])


def bandwidth(logits: Array) -> float:
    """The standard deviation of the kernel that smooths the logits of one class, by Silverman's
    rule of thumb (1986, Density Estimation, 3.31); 0 where all are equal.
    """
    low, high = np.quantile(logits, (0.25, 0.75))
    spreads = [float(logits.std(ddof=1)) if len(logits) > 1 else 0.0, float(high - low) / 1.349]
    spread = min(spreads) or max(spreads)
    return float(0.9 * spread * len(logits) ** -0.2)
