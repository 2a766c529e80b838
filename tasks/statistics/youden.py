"""The threshold with the highest Youden index that val can tell, of scores smoothed by kernels.

The index of the images themselves is a step function that peaks where chance has put one or two of
them, with val near perfection most of all; that of the smoothed scores peaks where most of them
agree (Fluss, Faraggi and Reiser 2005, Biom. J. 47:458). Around its peak it is flat, so where that
lies is chance too. Of the thresholds that val can hardly tell from the best, it takes the one
nearest to where the network itself is even, which training chose and not val.
`python -m benchmarks.youden` measures what that saves, and what it costs where the network is off.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from tasks.statistics import Array
from tasks.statistics.calibration import logit

POINTS = 500  # that are looked at, between the lowest logit and the highest
ALIKE = 0.2  # standard errors of a difference that says next to nothing
CLOSE = 1e-12  # what differs by less is equal


def threshold(targets: Array, scores: Array, even: float) -> float:
    """Where sensitivity + specificity - 1 (Youden 1950, Cancer 3:32) is highest for the smoothed
    scores of one output that has both outcomes, or as good as highest and nearer to `even`.

    Args:
        targets: `(N,)`.
        scores: `(N,)`.
        even: the score by which the network says no more than how frequent the finding was, as its
            loss weighed it (`losses.even`).
    """
    logits, there = logit(scores), targets > 0
    low, high = logits.min(), logits.max()
    own = np.clip(logit(np.array([even])), low, high)
    points = np.union1d(np.linspace(low, high, POINTS), own)
    sensitivity, specificity = _above(logits[there], points), 1 - _above(logits[~there], points)
    index = sensitivity + specificity
    best = int(np.argmax(index))
    error = np.hypot(
        _error(sensitivity - sensitivity[best], int(there.sum())),
        _error(specificity - specificity[best], int((~there).sum())),
    )
    alike = points[index[best] - index <= np.maximum(ALIKE * error, CLOSE)]
    chosen = alike[np.argmin(np.abs(alike - own))]
    # What the lowest and the highest logit come back to may lie above their scores by the last bit.
    return float(min(expit(chosen), scores.max()) if chosen > low else scores.min())


def _error(shares: Array, images: int) -> Array:
    """The standard error of each."""
    return np.asarray(np.sqrt(np.abs(shares) * (1 - np.abs(shares)) / images))


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
