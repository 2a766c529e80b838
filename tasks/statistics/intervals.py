"""Confidence intervals in closed form, for figures of images that come several per patient.

- Shares, and means of what lies in [0, 1]: Wilson's interval (1927, J. Am. Stat. Assoc. 22:209) at
  the effective number of images, as Korn & Graubard do (1998, Surv. Methodol. 24:193).
- Sums and differences of figures: MOVER, which carries the two sides of each interval over (Zou &
  Donner 2008, Stat. Med. 27:1693).
- Areas under the ROC curve: `areas`.

All have width where a figure is perfect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from tasks.statistics import Array


class Interval(NamedTuple):
    """A value and the ends of its confidence interval; NaN where not defined."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """`{"value", "low", "high"}` to 6 digits, null where not defined."""
        items = self._asdict().items()
        return {name: None if math.isnan(x) else round(x, 6) for name, x in items}


UNDEFINED = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval, and its influence per patient `(P,)`, which says how it varies
    with other figures of the same patients.
    """

    interval: Interval
    totals: Array


def deviate(confidence: float) -> float:
    """How many standard errors an interval reaches to each side: 1.96 at 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(value: float, size: float, confidence: float) -> Interval:
    """Wilson's interval of a share, or of a mean in [0, 1], of `size` independent values."""
    z2 = deviate(confidence) ** 2
    centre = (value + z2 / (2 * size)) / (1 + z2 / size)
    spread = math.sqrt(z2 * (value * (1 - value) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    return Interval(
        value, min(max(centre - spread, 0.0), value), max(min(centre + spread, 1.0), value)
    )


def combine(estimates: Sequence[Estimate], coefficients: Sequence[float]) -> Estimate:
    """A linear combination of figures of the same patients, by MOVER."""
    factors = np.asarray(coefficients)
    values, lows, highs = np.array([estimate.interval for estimate in estimates]).T
    totals = np.stack([estimate.totals for estimate in estimates])
    tied = np.sign(factors)[:, None] * correlation(totals) * np.sign(factors)
    below = np.abs(factors) * np.where(factors > 0, values - lows, highs - values)
    above = np.abs(factors) * np.where(factors > 0, highs - values, values - lows)
    value = float(factors @ values)
    interval = Interval(value, value - _length(below, tied), value + _length(above, tied))
    return Estimate(interval, factors @ totals)


def _length(parts: Array, tied: Array) -> float:
    return math.sqrt(max(float(parts @ tied @ parts), 0.0))


def correlation(totals: Array) -> Array:
    """How figures vary together, `(F, F)`, from their influence per patient `(F, P)`; one that
    does not vary is tied to none.
    """
    lengths = np.sqrt((totals**2).sum(axis=1))
    units = totals / np.where(lengths > 0, lengths, 1)[:, None]
    tied: Array = np.clip(units @ units.T, -1, 1)
    np.fill_diagonal(tied, 1)
    return tied


def ratio(part: Estimate, whole: Estimate) -> Interval:
    """Interval of the ratio of two independent figures above 0, by MOVER (Donner & Zou 2012, Stat.
    Methods Med. Res. 21:347); the upper end is infinite where `whole` may be 0.
    """
    (a, low, high), (b, least, most) = part.interval, whole.interval
    if b == 0:
        return UNDEFINED

    def end(x: float, y: float, sign: int) -> float:
        root = max((a * b) ** 2 - x * y * (2 * a - x) * (2 * b - y), 0.0)
        below = y * (2 * b - y)
        return (a * b + sign * math.sqrt(root)) / below if below > 0 else math.inf

    return Interval(a / b, end(low, most, -1), end(high, least, 1))
