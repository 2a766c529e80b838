"""What tests of heatmaps say, with intervals that count patients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from tasks.common.wording import ENOUGH
from tasks.statistics import Array, proportions
from tasks.statistics.intervals import UNDEFINED, Interval
from tasks.statistics.localisation import Located
from tasks.statistics.patients import Patients

NO_ENDS = (math.nan, math.nan)
UNCHANGED = 0.5  # rank correlation of heatmaps before and after, at and past which they are alike


def figure(values: Array, groups: ArrayLike, confidence: float, least: float = 0.0) -> Interval:
    """The mean of values `(N,)` in [`least`, 1]; without ends where the patients are too few."""
    if not len(values):
        return UNDEFINED
    patients = Patients(groups)
    shares = (np.asarray(values, float) - least) / (1 - least)
    found = proportions.mean(shares, patients, confidence).interval
    value, low, high = (least + (1 - least) * share for share in found)
    return Interval(value, low, high) if patients.count >= ENOUGH else Interval(value, *NO_ENDS)


def by_masks(found: Sequence[Located], groups: ArrayLike, confidence: float) -> dict[str, Any]:
    """Pointing game and energy, each beside what chance gives."""
    hits, near, energy, even = np.array(found, float).reshape(-1, 4).T
    return {
        "images": len(hits),
        "patients": Patients(groups).count,
        "pointing": figure(hits, groups, confidence).to_json(),
        "pointing_by_chance": round(float(near.mean()), 6),
        "energy": figure(energy, groups, confidence).to_json(),
        "energy_by_chance": round(float(even.mean()), 6),
    }


def by_scores(
    deletion: Array, insertion: Array, likeness: Array, groups: ArrayLike, confidence: float
) -> dict[str, Any]:
    """Gains over random heatmaps, of both as their mean, and the rank correlation with the heatmaps
    of shuffled weights; each `(N,)` in [-1, 1].
    """
    values = {
        "deletion": deletion,
        "insertion": insertion,
        "mean": (deletion + insertion) / 2,
        "shuffled_correlation": likeness,
    }
    counted = {"images": len(deletion), "patients": Patients(groups).count}
    figures = {
        name: figure(given, groups, confidence, -1).to_json() for name, given in values.items()
    }
    return counted | figures


def beats_chance(masks: dict[str, Any] | None, scores: dict[str, Any] | None) -> bool | None:
    """Whether heatmaps of a class say more than chance: by where findings are, where enough
    patients have masks, else by what the scores lose and keep; None where too few tell.
    """
    if masks and masks["pointing"]["low"] is not None:
        return bool(masks["pointing"]["low"] > masks["pointing_by_chance"])
    if scores and scores["mean"]["low"] is not None:
        return bool(scores["mean"]["low"] > 0)
    return None


def follows_weights(scores: dict[str, Any] | None) -> bool | None:
    """Whether heatmaps change when the weights do; None where too few tell."""
    if scores is None or scores["shuffled_correlation"]["high"] is None:
        return None
    return bool(scores["shuffled_correlation"]["high"] < UNCHANGED)


def rank_correlation(first: NDArray[Any], second: NDArray[Any]) -> Array:
    """Spearman's correlation `(N,)` of the cells of heatmaps `(N, h, w)`; 0 where one is even."""
    cells = [given.reshape(len(given), -1) for given in (first, second)]
    a, b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in map(_ranks, cells))
    lengths = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    together: Array = (a * b).sum(axis=1)
    return np.asarray(together / np.where(lengths > 0, lengths, 1), float)


def _ranks(cells: NDArray[Any]) -> Array:
    return np.asarray(rankdata(cells, axis=1), float)
