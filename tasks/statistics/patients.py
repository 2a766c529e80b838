"""Images of one patient resemble one another: how much less a set of images tells for it.

A figure is a function of the images' weights; its influence `(N,)` is its gradient where all
weights are 1. Summed per patient, it gives the variance of the figure with whole patients as units
(Obuchowski 1997, Biometrics 53:567; Rao & Scott 1992, Biometrics 48:577).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tasks.common.wording import ENOUGH
from tasks.statistics import Array


class Patients:
    """Which images are of one patient."""

    def __init__(self, groups: ArrayLike) -> None:
        """`groups` `(N,)` names the patient of each image."""
        self._codes = np.unique(np.asarray(groups), return_inverse=True)[1]
        self.count = int(self._codes.max(initial=-1)) + 1

    def totals(self, values: Array) -> Array:
        """The sum `(P,)` of `values` `(N,)` over the images of each patient."""
        return np.asarray(np.bincount(self._codes, values, self.count), float)

    def having(self, chosen: Array) -> int:
        """How many patients have an image that is chosen (not 0)."""
        return int((self.totals(np.asarray(chosen != 0, float)) > 0).sum())

    def images_per_patient(self, chosen: Array) -> float:
        """The most that the images `chosen` `(N,)` (0 or 1) of one patient can weigh: their design
        effect where they are all alike (Kish 1965, Survey Sampling, 8.2).
        """
        sizes = self.totals(chosen)
        return float((sizes**2).sum() / sizes.sum())

    def design_effect(self, influence: Array, most: float) -> float:
        """The variance with patients as units over that with images as units, from 1 to `most`;
        `most` where nothing varies.
        """
        images = len(influence)
        alone = float((influence**2).sum()) * images / max(images - 1, 1)
        if alone == 0 or self.count < 2:
            return most
        return float(np.clip(self.variance(self.totals(influence)) / alone, 1, max(most, 1)))

    def variance(self, totals: Array) -> float:
        """The variance of a figure from the totals `(P,)` of its influence."""
        return float((totals**2).sum()) * self.count / max(self.count - 1, 1)


def enough(targets: Array, patients: Patients) -> bool:
    """Whether an output, targets `(N,)`, can be judged: `ENOUGH` patients with it and without."""
    return min(patients.having(targets), patients.having(1 - targets)) >= ENOUGH
