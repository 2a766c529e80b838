"""Conformal sets: the answers that a score leaves open, so that the right one is among them in a
chosen share of the cases.

An answer is in the set where its score reaches a least score, which is fitted on val for each
answer by itself: split conformal prediction (Vovk et al. 2005, Algorithmic Learning in a Random
World, 4.5) with the least ambiguous sets of Sadinle et al. (2019, J. Am. Stat. Assoc. 114:223). The
share is meant for images that could change places with those of val.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tasks.common.slices import Flags, nested
from tasks.statistics import Array
from tasks.statistics.curves import answer_names
from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import Sample
from tasks.statistics.patients import Patients, enough
from tasks.statistics.proportions import share


@dataclass(frozen=True)
class Sets:
    """What makes sets of calibrated scores.

    Attributes:
        coverage: share of the images whose right answer is to be in the set.
        least_scores: answer -> the score from which it is in the set; 0 where val has too few
            images with it to tell.
    """

    coverage: float
    least_scores: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As stored with the model; `Sets(**value)` reads it."""
        return {"coverage": self.coverage, "least_scores": self.least_scores}


def fit(classes: Sequence[str], sample: Sample, coverage: float) -> Sets:
    """The least scores on val, from its calibrated scores; `classes` are those of the task."""
    right, given = (_answers(sample.kind, x) for x in (sample.targets, sample.scores))
    return Sets(
        coverage,
        {
            name: least_score(given[right[:, q, a] > 0, q, a], coverage)
            for q, question in enumerate(answer_names(sample.kind, classes))
            for a, name in enumerate(question)
        },
    )


def least_score(scores: Array, coverage: float) -> float:
    """The score that ceil((n + 1) coverage) of the scores `(n,)` of a right answer reach; 0, which
    every score reaches, where that is more than n.
    """
    needed = math.ceil(Fraction(str(coverage)) * (len(scores) + 1))
    return 0.0 if needed > len(scores) else float(np.sort(scores)[len(scores) - needed])


def inside(classes: Sequence[str], sample: Sample, sets: Sets) -> Array:
    """Which answers are in the set of each image, `(N, Q, A)` in {0, 1}: Q is one, but in a
    multi-label task every class is a question of its own, answered by no or yes.
    """
    names = answer_names(sample.kind, classes)
    least = [[sets.least_scores[name] for name in question] for question in names]
    return np.asarray(_answers(sample.kind, sample.scores) >= least, float)


def _answers(kind: str, values: Array) -> Array:
    """Targets or scores `(N, K)` of each answer to each question, `(N, Q, A)`."""
    return values[:, None, :] if kind == "multiclass" else np.stack([1 - values, values], axis=2)


def summarise(
    sets: Sets,
    sample: Sample,
    groups: ArrayLike,
    classes: Sequence[str],
    slices: Mapping[str, ArrayLike],
    confidence: float,
) -> dict[str, Any]:
    """Coverage and mean size of the sets of a sample with calibrated scores: whole, by class, which
    is the right answer, and by slice. Patients are the units, and what cannot be judged has no
    interval.

    Args:
        sets: as fitted on val.
        sample: the images.
        groups: `(N,)`, the patient of each.
        classes: of the task.
        slices: column -> `(N,)` values; missing ones belong to no slice.
        confidence: of the intervals.
    """
    groups = np.asarray(groups)
    right, held = _answers(sample.kind, sample.targets), inside(classes, sample, sets)
    covered, size, most = (held * right).sum(axis=2), held.mean(axis=2), held.shape[2]
    patients = Patients(groups)

    def figures(covered: Array, size: Array, counted: Array, judged: bool) -> dict[str, Any]:
        found = share(covered, counted, patients, confidence).interval
        open_ = Interval(*(most * x for x in share(size, counted, patients, confidence).interval))
        both = {"coverage": found, "size": open_}
        shown = (
            both if judged else {k: Interval(x.value, math.nan, math.nan) for k, x in both.items()}
        )
        written = {name: interval.to_json() for name, interval in shown.items()}
        return written | {"images": int(counted.sum()), "judged": judged}

    def measured(chosen: Flags) -> dict[str, Any]:
        some = Patients(groups[chosen])
        judged = any(enough(column, some) for column in sample.targets[chosen].T)
        return figures(covered.mean(axis=1), size.mean(axis=1), chosen.astype(float), judged)

    return measured(np.ones(len(groups), bool)) | {
        "classes": {
            name: figures(covered[:, q], size[:, q], there, enough(there, patients))
            for q, question in enumerate(answer_names(sample.kind, classes))
            for name, there in zip(question, right[:, q].T, strict=True)
        },
        "slices": nested(slices, measured),
    }
