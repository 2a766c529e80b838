"""Confidence intervals by a bootstrap that resamples patients.

Images of one patient resemble one another, so resampling single images would give intervals that
are too narrow. Whole groups are drawn with replacement, as many as there are (Field & Welsh 2007,
J. R. Stat. Soc. B 69:369), and the interval is that of the percentiles of the resampled values
(Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13).

Limits: a resample in which a statistic is not defined (a class is missing) is left out for that
statistic; if that happens to more than half of them, or there are fewer than two groups, there is
no interval (NaN). A perfect value has an interval of no width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.statistics.weighted import Array

CHUNK = 4_000_000  # weights held at once


class Interval(NamedTuple):
    """A value and the ends of its confidence interval; NaN where not defined."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """`{"value", "low", "high"}` to 6 digits, null where not defined."""
        items = self._asdict().items()
        return {name: None if math.isnan(x) else round(x, 6) for name, x in items}


def bootstrap(
    measure: Callable[[Array], dict[str, Array]],
    groups: ArrayLike,
    confidence: float,
    resamples: int,
    seed: int,
) -> dict[str, list[Interval]]:
    """Intervals of every statistic that `measure` computes, all from the same resamples.

    Args:
        measure: weights `(R, N)` -> name -> `(R, C)` values.
        groups: `(N,)`, what is resampled as a whole.
        confidence: such as 0.95.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        Name -> C intervals.
    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    values = measure(np.ones((1, len(codes))))
    drawn = [measure(weights) for weights in resample(codes, resamples, seed)]
    return {
        name: _intervals(row[0], [d[name] for d in drawn], confidence)
        for name, row in values.items()
    }


def resample(codes: NDArray[np.intp], resamples: int, seed: int) -> Iterator[Array]:
    """Weights `(R, N)` in parts: how often each image is drawn. `codes` `(N,)` number its group.
    With fewer than two groups there is nothing to draw.
    """
    count = int(codes.max(initial=-1)) + 1
    if count < 2:
        return
    generator = np.random.default_rng(seed)
    part = max(1, CHUNK // len(codes))
    for start in range(0, resamples, part):
        rows = min(part, resamples - start)
        drawn = generator.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        yield times.astype(float)[:, codes]


def _intervals(values: Array, drawn: list[Array], confidence: float) -> list[Interval]:
    columns = np.concatenate([np.empty((0, len(values))), *drawn]).T
    return [
        _interval(value, column, confidence) for value, column in zip(values, columns, strict=True)
    ]


def _interval(value: float, drawn: Array, confidence: float) -> Interval:
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(defined) == 0 or len(defined) < len(drawn) / 2:
        return Interval(float(value), math.nan, math.nan)
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))
