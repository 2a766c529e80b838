"""Shortcuts: how well the label can be told from how an image was taken, without its pixels.

A network that finds such a way learns the scanner in place of the finding (Zech et al. 2018, PLoS
Medicine 15:e1002683; Geirhos et al. 2020, Nature Machine Intelligence 2:665).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from tasks.statistics.areas import auroc
from tasks.statistics.out_of_fold import folds, probabilities

ALL = "all at once"
REPEATS = 5  # cross-validations with other folds, averaged: with few patients one alone is noisy
SIGMAS = 1.645  # one-sided 5 per cent
MOST_IMAGES = 5_000  # more do not change the answer
Splits = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
TREE = DecisionTreeClassifier(max_depth=5, min_samples_leaf=5, random_state=0)


def measure(
    fields: pd.DataFrame, targets: NDArray[np.float32], groups: pd.Series[str]
) -> pd.DataFrame:
    """Out-of-fold AUROC of a small decision tree on all fields, then on each alone, best first.

    Args:
        fields: `(N, F)`, one column per field of the acquisition; what does not vary is left out.
        targets: `(N, K)` in {0, 1}; with several outputs the mean over them is given.
        groups: `(N,)`, the patients; no patient is in two folds.

    Returns:
        `field`, `auroc`, and `chance`: what labels without any tie to the field reach in some 5 of
        100 cases (Mann & Whitney 1947), counted in patients. Without rows where no field varies
        or a class has fewer than two patients.
    """
    table = fields.loc[:, fields.nunique(dropna=False) > 1]
    empty = pd.DataFrame({"field": [], "auroc": [], "chance": []}).astype({"field": "str"})
    if not len(table.columns):
        return empty
    kept = _sample(groups)
    codes, known = _codes(table[kept]), targets[kept].astype(np.int64)
    numbers = pd.factorize(groups[kept])[0]
    chance, splits = _chance(known, numbers), [_splits(column, numbers) for column in known.T]
    sets = {ALL: codes} | {str(name): codes[:, [k]] for k, name in enumerate(table)}
    found = {name: _auroc(values, known, splits) for name, values in sets.items()}
    values = {name: round(value, 4) for name, value in found.items() if value is not None}
    if not values:
        return empty
    first = values.pop(ALL)
    ordered = [(ALL, first), *sorted(values.items(), key=lambda item: (-item[1], item[0]))]
    told = pd.DataFrame(ordered, columns=["field", "auroc"])
    return told.assign(chance=round(chance, 4))


def _sample(groups: pd.Series[str]) -> NDArray[np.bool_]:
    """Whole groups, about `MOST_IMAGES` images: groups are digests, so their order is chance."""
    sizes = groups.value_counts().sort_index().cumsum()
    return groups.isin(sizes.index[sizes.shift(fill_value=0) < MOST_IMAGES]).to_numpy()


def _codes(table: pd.DataFrame) -> NDArray[np.float64]:
    """Categories as numbers; trees take them in any order, and -1 for missing."""
    encoded = np.full(table.shape, -1.0)
    for k, name in enumerate(table):
        values = table[name]
        there = values.notna().to_numpy()
        if pd.api.types.is_numeric_dtype(values):
            encoded[there, k] = values[there].to_numpy(float)
        else:
            given = values[there].to_numpy(object)[:, None]
            encoded[there, k] = OrdinalEncoder().fit_transform(given)[:, 0]
    return encoded


def _splits(classes: NDArray[np.int64], groups: NDArray[np.int64]) -> Splits:
    return [split for seed in range(REPEATS) for split in folds(classes, groups, seed)]


def _auroc(
    features: NDArray[np.float64], targets: NDArray[np.int64], splits: Sequence[Splits]
) -> float | None:
    """Mean over outputs, repeats and folds, a fold counting by its pairs of a positive and a
    negative; None where no output can be judged.

    Within folds, for the scores of different trees do not compare: the more positives a fold holds
    out, the fewer its tree has learnt from, which pulls a pooled AUROC below 0.5.
    """
    found = []
    for column, repeats in zip(targets.T, splits, strict=True):
        won = pairs = 0.0
        for learnt, held in repeats:
            given = probabilities(TREE, features, column, 2, learnt, held)[:, 1]
            outcomes = column[held].astype(float)
            count = outcomes.sum() * (1 - outcomes).sum()
            if count:
                won += count * auroc(outcomes, given)
                pairs += count
        if pairs:
            found.append(won / pairs)
    return float(np.mean(found)) if found else None


def _chance(targets: NDArray[np.int64], groups: NDArray[np.int64]) -> float:
    """0.5 and `SIGMAS` standard errors of the AUROC without any tie, sqrt((n1 + n2 + 1) / (12 n1
    n2)), of the output that is judged best; patients with both outcomes count half on each side.
    """
    shares = pd.DataFrame(targets).groupby(groups).mean().to_numpy()
    positives = shares.sum(axis=0)
    negatives = len(shares) - positives
    judged = (positives > 0) & (negatives > 0)
    if not judged.any():
        return 1.0
    n1, n2 = positives[judged], negatives[judged]
    return 0.5 + SIGMAS * float(np.sqrt((n1 + n2 + 1) / (12 * n1 * n2)).max())
