"""What each image is said to be by an estimator that has seen neither it nor its patient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold

FOLDS = 5


def folds(
    classes: NDArray[np.int64], groups: NDArray[Any], seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows learnt from and rows held out, in groups and stratified by class; `FOLDS` of them, or as
    many as the rarest class has groups.

    Args:
        classes: `(N,)`.
        groups: `(N,)`; those of one group are held out together.
        seed: of the folds.

    Returns:
        Nothing where only one class occurs, one of them in a single group, or a fold holds out all
        of one, which then cannot be learnt.
    """
    occurring = np.unique(classes)
    count = min(FOLDS, *(len(np.unique(groups[classes == k])) for k in occurring), FOLDS)
    if len(occurring) < 2 or count < 2:
        return []
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    splits = list(splitter.split(classes, classes, groups))
    whole = all(len(np.unique(classes[learnt])) == len(occurring) for learnt, _ in splits)
    return splits if whole else []


def probabilities(
    estimator: Any,
    features: NDArray[Any],
    classes: NDArray[np.int64],
    count: int,
    learnt: NDArray[np.int64],
    held: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Probabilities `(held, count)` by `estimator` fitted on the rows `learnt`; a class that they
    lack has probability 0.
    """
    fitted = clone(estimator).fit(features[learnt], classes[learnt])
    found = np.zeros((len(held), count))
    found[:, fitted.classes_] = fitted.predict_proba(features[held])
    return found
