"""The area under the ROC curve, its interval, and that of a difference of such areas.

The interval is a score interval: the values x that the data do not reject, with the variance that
the area would have at x. How the variance depends on x is Newcombe's model (2006, Stat. Med.
25:559, method 5), at the effective numbers of images. Its size is that model's, with the weight of
`PRIOR` images, against what the placements of DeLong et al. show (1988, Biometrics 44:837), summed
per patient (Obuchowski 1997, Biometrics 53:567); alone, these show too little where hardly any pair
is out of order. Few patients show the variance badly, so the quantile is Student's. For differences
and means each area moves by the same amount towards the hypothesis, as Miettinen & Nurminen do for
shares (1985, Stat. Med. 4:213), and what they share cancels out.

`python -m benchmarks.coverage` measures all of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from tasks.statistics import Array
from tasks.statistics.intervals import UNDEFINED, Interval, correlation
from tasks.statistics.patients import Patients

PRIOR = 75  # images of the rarer outcome
PRIOR_PATIENTS = 5  # of the largest possible design effect, against as many as there are
HALVINGS = 50  # of the search for an end: to 1e-15


@dataclass(frozen=True)
class Area:
    """AUROC of one output.

    Attributes:
        value: the share of pairs of a positive and a negative in which the positive scores higher,
            ties counted half (Hanley & McNeil 1982, Radiology 143:29).
        totals: its influence per patient `(P,)`.
        positives: effective number of images with the finding.
        negatives: and without.
        scale: its variance over that of the model.
        freedom: degrees of freedom of that variance, by the patients of the rarer outcome.
    """

    value: float
    totals: Array
    positives: float
    negatives: float
    scale: float
    freedom: int

    def variance(self, at: float) -> float:
        """The variance that the area would have if it were `at`."""
        return self.scale * _model_variance(at, self.positives, self.negatives)


def auroc(targets: Array, scores: Array) -> float:
    """AUROC of targets `(N,)` and scores `(N,)`; NaN without both outcomes."""
    there = targets > 0
    if there.all() or not there.any():
        return math.nan
    return float(_beaten(scores[there], np.sort(scores[~there])).mean())


def area(targets: Array, scores: Array, patients: Patients) -> Area:
    """The area of one output that has both outcomes: targets `(N,)`, scores `(N,)`."""
    there = targets > 0
    above = _beaten(scores[there], np.sort(scores[~there]))
    below = 1 - _beaten(scores[~there], np.sort(scores[there]))
    value = float(above.mean())
    influence = np.empty(len(targets))
    influence[there] = (above - value) / len(above)
    influence[~there] = (below - value) / len(below)
    totals = patients.totals(influence)
    most = patients.images_per_patient(np.ones(len(targets)))
    seen = patients.design_effect(influence, most)
    effect = (patients.count * seen + PRIOR_PATIENTS * most) / (patients.count + PRIOR_PATIENTS)
    positives, negatives = len(above) / effect, len(below) / effect
    model, rarer = _model_variance(value, positives, negatives), min(positives, negatives)
    excess = patients.variance(totals) / model if model > 0 else 1.0
    scale = (rarer * excess + PRIOR) / (rarer + PRIOR)
    freedom = max(min(patients.having(targets), patients.having(1 - targets)) - 1, 1)
    return Area(value, totals, positives, negatives, scale, freedom)


def _beaten(scores: Array, ordered: Array) -> Array:
    """The share of `ordered` that lies below each of `scores`, ties counted half."""
    sides = [np.searchsorted(ordered, scores, side) for side in ("left", "right")]
    return np.asarray((sides[0] + sides[1]) / (2 * len(ordered)))


def _model_variance(area: float, positives: float, negatives: float) -> float:
    """Newcombe's variance of an area, method 5."""
    others = (positives + negatives) / 2 - 1
    tails = (1 - area) / (2 - area) + area / (1 + area)
    return area * (1 - area) * (1 + others * tails) / (positives * negatives)


def combined(areas: Sequence[Area], coefficients: ArrayLike, confidence: float) -> Interval:
    """Score interval of a linear combination of areas of the same patients: one area (1), their
    mean (1/K each), the difference of two (1, -1) or of two means.
    """
    if not areas:
        return UNDEFINED
    factors = np.asarray(coefficients, float)
    values = np.array([one.value for one in areas])
    signs = np.sign(factors)
    tied = signs[:, None] * correlation(np.stack([one.totals for one in areas])) * signs
    direction = signs / np.abs(factors).sum()
    z = float(stdtrit(min(one.freedom for one in areas), (1 + confidence) / 2))

    def covers(shift: float) -> bool:
        """Whether the combination plus `shift` is not rejected."""
        moved = np.clip(values + shift * direction, 0, 1)
        variances = [one.variance(at) for one, at in zip(areas, moved.tolist(), strict=True)]
        errors = np.abs(factors) * np.sqrt(variances)
        return abs(shift) < z * math.sqrt(max(float(errors @ tied @ errors), 0.0))

    value = float(factors @ values)
    return Interval(value, value - _reach(covers, -1), value + _reach(covers, 1))


def _reach(covers: Callable[[float], bool], sign: int) -> float:
    """How far on one side a shift is covered; 2 is further than any difference of areas."""
    near, far = 0.0, 2.0
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if covers(sign * middle) else (near, middle)
    return near
