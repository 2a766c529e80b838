"""Likely label errors by confident learning (Northcutt et al. 2021, JAIR 70:1373): cleanlab."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.statistics import areas
from tasks.statistics.out_of_fold import folds, probabilities

# Strongly regularised: with more features than images a plain fit would be sure of everything. With
# 60 of 1,200 labels of X-rays turned, C = 1 suspects 130 images and finds 47 of them, C = 0.01
# suspects 87 and finds 46.
CLASSIFIER = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
# Features that tell the classes apart less well doubt no label: with 1 in 20 labels of 400 X-rays
# turned, 55 of 100 suspicions are right at an AUROC of 0.89, 44 at 0.85, 23 at 0.72 and 15 at 0.62.
LEAST_AUROC = 0.8
SEED = 0  # of the folds


class Suspects(NamedTuple):
    """What is said of each image.

    Attributes:
        likely: `(N,)`, whether its label is likely wrong; of a class whose AUROC is below
            `LEAST_AUROC` none is.
        suggested: `(N, K)` in {0, 1}, the targets that it likely has.
        quality: `(N,)` in [0, 1], the out-of-fold probability of its label; the lower, the likelier
            it is wrong. Of several labels the worst.
        auroc: how well the features tell the classes apart, out of fold, mean over the outputs
            that can be judged.
    """

    likely: NDArray[np.bool_]
    suggested: NDArray[np.float32]
    quality: NDArray[np.float64]
    auroc: float


def suspects(
    features: NDArray[Any], targets: NDArray[np.float32], groups: NDArray[Any], kind: str
) -> Suspects | None:
    """Hold each label to what images of other patients say.

    Args:
        features: `(N, F)`, such as a frozen backbone's.
        targets: `(N, K)` in {0, 1}, as of `labels.encode`.
        groups: `(N,)`, the patients.
        kind: binary, multiclass or multilabel.

    Returns:
        None where no class can be judged: two patients with and two without it are the least.
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    if kind == "multiclass":
        return _of_classes(features, targets, numbers)
    columns = [_of_one(features, column, numbers) for column in targets.T.astype(np.int64)]
    judged = [found for found in columns if found is not None]
    if not judged:
        return None
    unjudged = np.zeros(len(targets), bool), np.ones(len(targets)), 0.0
    likely, quality, _ = zip(*(found or unjudged for found in columns), strict=True)
    wrong = np.stack(likely, axis=1)
    suggested = np.where(wrong, 1 - targets, targets).astype(np.float32)
    auroc = float(np.mean([found[2] for found in judged]))
    return Suspects(
        np.asarray(wrong.any(axis=1)), suggested, np.stack(quality, axis=1).min(axis=1), auroc
    )


def _of_classes(
    features: NDArray[Any], targets: NDArray[np.float32], groups: NDArray[np.int64]
) -> Suspects | None:
    """Classes that exclude one another. Those of fewer than two patients are never suggested."""
    given = targets.argmax(axis=1)
    judged = [k for k in np.unique(given) if len(np.unique(groups[given == k])) > 1]
    rows = np.flatnonzero(np.isin(given, judged))
    dense = np.searchsorted(judged, given[rows])
    scores = _out_of_fold(features[rows], dense, groups[rows], len(judged))
    if scores is None:
        return None
    likely, quality = np.zeros(len(given), bool), np.ones(len(given))
    auroc = float(
        np.mean([areas.auroc((dense == k).astype(float), scores[:, k]) for k in range(len(judged))])
    )
    likely[rows], quality[rows] = _judge(dense, scores, auroc)
    said = given.copy()
    said[rows] = np.asarray(judged)[scores.argmax(axis=1)]
    suggested = np.where(likely, said, given)
    targeted = np.eye(targets.shape[1], dtype=np.float32)[suggested]
    return Suspects(likely, targeted, quality, auroc)


def _of_one(
    features: NDArray[Any], given: NDArray[np.int64], groups: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], float] | None:
    """Whether one class is there."""
    scores = _out_of_fold(features, given, groups, 2)
    if scores is None:
        return None
    auroc = areas.auroc(given.astype(float), scores[:, 1])
    return *_judge(given, scores, auroc), auroc


def _out_of_fold(
    features: NDArray[Any], classes: NDArray[np.int64], groups: NDArray[np.int64], count: int
) -> NDArray[np.float64] | None:
    scores = np.zeros((len(classes), count))
    splits = folds(classes, groups, SEED)
    for learnt, held in splits:
        scores[held] = probabilities(CLASSIFIER, features, classes, count, learnt, held)
    return scores if splits else None


def _judge(
    given: NDArray[np.int64], scores: NDArray[np.float64], auroc: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    likely = find_label_issues(given, scores, n_jobs=1) & (auroc >= LEAST_AUROC)
    return np.asarray(likely), np.asarray(get_label_quality_scores(given, scores))
