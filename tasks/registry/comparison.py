"""A challenger beside a rival on the same images: what was shown, and what this test set can show.

The rules are those of non-inferiority and superiority by one interval (Piaggio et al. 2012, JAMA
308:2594, figure 1): the interval of the difference against zero and against the margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.common.slices import Flags
from tasks.common.wording import count
from tasks.registry.cases import Cases
from tasks.registry.outcome import BETTER, FAILED, NOT_WORSE, TOO_SMALL, WITHIN
from tasks.statistics import Array
from tasks.statistics.intervals import Interval
from tasks.statistics.paired_difference import paired_auroc_difference


@dataclass(frozen=True)
class Rival:
    """Whom a challenger is compared with.

    Attributes:
        name: such as `the champion, version 3`.
        scores: `(N, K)` of the test images; those that it has not scored are NaN.
        margin: what a challenger may lose to it.
    """

    name: str
    scores: Array
    margin: float

    @property
    def known(self) -> Flags:
        """Which images it has scored `(N,)`."""
        return np.asarray(np.isfinite(self.scores).all(axis=1))


@dataclass(frozen=True)
class Comparison:
    """AUROC of the challenger minus that of a rival.

    Attributes:
        word: what it shows.
        difference: with the interval that the margin is held to.
        better: whether it is shown to be better at the level that the budget allows.
        images: on how many it rests.
    """

    rival: Rival
    word: str
    difference: Interval
    better: bool
    images: int

    @property
    def reason(self) -> str:
        """In one sentence."""
        if math.isnan(self.difference.low):
            return f"{self.word}: too few patients to compare with {self.rival.name}"
        return (
            f"{self.word}, beside {self.rival.name}: {in_words(self.difference)}; allowed are "
            f"{self.rival.margin:g} lower, and {count(self.images, 'image')} can show differences "
            f"from {self.reach:.3f} on"
        )

    @property
    def reach(self) -> float:
        """The smallest difference that these images could have shown: half the interval."""
        return (self.difference.high - self.difference.low) / 2

    def to_json(self) -> dict[str, Any]:
        """For the ledger."""
        reach = None if math.isnan(self.reach) else round(self.reach, 6)
        said = {"word": self.word, "margin": self.rival.margin, "images": self.images}
        return self.difference.to_json() | said | {"smallest_shown": reach}


def compare(
    cases: Cases, challenger: Array, rival: Rival, confidence: float, level: float
) -> Comparison:
    """Compare on the images that both have scored.

    Args:
        cases: the test images.
        challenger: its scores `(N, K)`.
        rival: whom with.
        confidence: of the interval that is held to the margin.
        level: the chance of calling an equal model better that the budget allows this time.
    """
    found = difference(cases, challenger, rival, rival.known, confidence)
    better = (
        found.low > 0 and difference(cases, challenger, rival, rival.known, 1 - 2 * level).low > 0
    )
    word = _word(found, rival.margin, better)
    return Comparison(rival, word, found, better, int(rival.known.sum()))


def difference(
    cases: Cases, challenger: Array, rival: Rival, chosen: Flags, confidence: float
) -> Interval:
    """AUROC of the challenger minus the rival's on the chosen images."""
    part = cases.only(chosen)
    scores = rival.scores[chosen], challenger[chosen]
    return paired_auroc_difference(part.targets, *scores, part.groups, confidence)


def _word(difference: Interval, margin: float, better: bool) -> str:
    value, low, high = difference
    if math.isnan(low):
        return TOO_SMALL
    if low > -margin:
        return BETTER if better else NOT_WORSE if high >= 0 else WITHIN
    # Not even an equal model could have been shown to be within the margin.
    return TOO_SMALL if high >= 0 and value - low >= margin else FAILED


def in_words(difference: Interval) -> str:
    """A difference of AUROCs: `AUROC +0.012, by the interval 0.004 to 0.020 higher`."""
    value, low, high = difference
    if low >= 0:
        reach = f"{low:.3f} to {high:.3f} higher"
    elif high <= 0:
        reach = f"{-high:.3f} to {-low:.3f} lower"
    else:
        reach = f"between {-low:.3f} lower and {high:.3f} higher"
    return f"AUROC {value:+z.3f}, by the interval {reach}"
