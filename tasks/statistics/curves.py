"""What is drawn: ROC and calibration curves, confusion counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix, roc_curve

from tasks.statistics import Array
from tasks.statistics.patients import Patients, enough
from tasks.statistics.proportions import share

Confusion = tuple[list[str], NDArray[np.int64]]


def roc(targets: Array, scores: Array) -> tuple[Array, Array]:
    """False and true positive rates of one output, corners only (Fawcett 2006, Pattern Recognit.
    Lett. 27:861).
    """
    fpr, tpr, _ = roc_curve(targets, scores, drop_intermediate=True)
    return fpr, tpr


def mean_roc(targets: Array, scores: Array) -> tuple[Array, Array]:
    """The vertical mean of the outputs' ROC curves (Fawcett 2006, algorithm 4); with one output
    its own curve.
    """
    curves = [roc(y, s) for y, s in zip(targets.T, scores.T, strict=True)]
    if len(curves) == 1:
        return curves[0]
    fpr = np.unique(np.concatenate([curve[0] for curve in curves]))
    tpr = np.mean([np.interp(fpr, *curve) for curve in curves], axis=0)
    return np.concatenate([[0.0], fpr]), np.concatenate([[0.0], tpr])


class Reliability(NamedTuple):
    """A reliability diagram: of each filled bin the mean score, the rate of positives with the ends
    of its interval, and the number of scores, each `(B,)`.
    """

    score: Array
    rate: Array
    low: Array
    high: Array
    size: Array


def calibration(
    targets: Array, scores: Array, groups: ArrayLike, confidence: float, bins: int = 10
) -> Reliability:
    """The reliability diagram of Murphy & Winkler 1977 (Appl. Stat. 26:41), with bins of equal
    width, over all outputs together; patients are the units, and where no output can be judged
    there are no intervals.
    """
    outcomes, given = targets.ravel(), scores.ravel().astype(float)
    judged = any(enough(column, Patients(groups)) for column in targets.T)
    patients = Patients(np.repeat(np.asarray(groups), targets.shape[1]))
    place = np.minimum((given * bins).astype(int), bins - 1)
    rows = []
    for filled in np.unique(place):
        inside = (place == filled).astype(float)
        rate, low, high = share(outcomes, inside, patients, confidence).interval
        ends = (low, high) if judged else (math.nan, math.nan)
        rows.append((given[inside > 0].mean(), rate, *ends, inside.sum()))
    return Reliability(*np.array(rows).T)


def answers(kind: str, classes: Sequence[str], predictions: Array) -> list[list[str]]:
    """Predictions or targets `(N, K)` as class names, one list a confusion matrix: one in all, but
    one for each class of a multi-label task (`name` or `not name`).
    """
    if kind == "binary":
        return [[classes[int(row[0])] for row in predictions]]
    if kind == "multiclass":
        return [[classes[int(k)] for k in predictions.argmax(axis=1)]]
    return [
        [name if x else f"not {name}" for x in column]
        for name, column in zip(classes, predictions.T, strict=True)
    ]


def answer_names(kind: str, classes: Sequence[str]) -> list[list[str]]:
    """What the answers to each question can be: the classes, or of each class of a multi-label task
    that it is not there and that it is.
    """
    if kind == "multilabel":
        return [[f"not {name}", name] for name in classes]
    return [list(classes)]


def confusion(
    kind: str, classes: Sequence[str], targets: Array, predictions: Array
) -> list[Confusion]:
    """Confusion matrices as (names, counts): rows are the labels, columns the predictions."""
    actual, predicted = (answers(kind, classes, values) for values in (targets, predictions))
    return [
        (answers, confusion_matrix(a, p, labels=answers))
        for answers, a, p in zip(answer_names(kind, classes), actual, predicted, strict=True)
    ]
