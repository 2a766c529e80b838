"""Two models on the same images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tasks.statistics import weighted
from tasks.statistics.intervals import Interval, bootstrap
from tasks.statistics.metrics import macro
from tasks.statistics.weighted import Array


def paired_auroc_difference(
    targets: ArrayLike,
    champion: ArrayLike,
    challenger: ArrayLike,
    groups: ArrayLike,
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    """AUROC of the challenger minus that of the champion, mean over the outputs.

    Both are measured on the same resamples of patients, so what they share cancels out (the paired
    bootstrap of Efron & Tibshirani 1993; patients as in `intervals`).

    Args:
        targets: `(N, K)` or `(N,)` in {0, 1}.
        champion: scores, shaped like the targets.
        challenger: scores, shaped like the targets.
        groups: `(N,)`, the patient of each image.
        confidence: such as 0.95.
        resamples: number of draws.
        seed: of the draws.
    """
    truth, old, new = (_columns(values) for values in (targets, champion, challenger))

    def difference(weights: Array) -> dict[str, Array]:
        before, after = (macro(weighted.auroc, weights, truth, s)[:, :1] for s in (old, new))
        return {"difference": after - before}

    return bootstrap(difference, groups, confidence, resamples, seed)["difference"][0]


def _columns(values: ArrayLike) -> Array:
    array = np.asarray(values, float)
    return array[:, None] if array.ndim == 1 else array
