"""What acting on scores is worth: the net benefit of Vickers & Elkin 2006 (Med. Decis. Making
26:565) at each threshold, beside treating all and none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tasks.statistics import Array

THRESHOLDS = np.arange(1, 100) / 100


class DecisionCurve(NamedTuple):
    """Net benefit per image at `THRESHOLDS`, each `(99,)`: of treating where the score reaches the
    threshold, and of treating all. Treating none is worth nothing.
    """

    model: Array
    treat_all: Array


def curve(targets: Array, scores: Array) -> DecisionCurve:
    """The curve of one output, targets and calibrated scores `(N,)`: true positives per image less
    false positives per image, weighed by the odds of the threshold.
    """
    odds = THRESHOLDS / (1 - THRESHOLDS)
    there = targets > 0
    sides = [
        len(side) - np.searchsorted(np.sort(side), THRESHOLDS)
        for side in (scores[there], scores[~there])
    ]
    share = float(there.mean())
    return DecisionCurve(
        np.asarray((sides[0] - odds * sides[1]) / len(targets)), share - (1 - share) * odds
    )
