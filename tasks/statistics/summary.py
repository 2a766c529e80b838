"""The metrics of one split as they stand in `reports/metrics.json`: whole, by class, by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.statistics.intervals import Interval, bootstrap
from tasks.statistics.metrics import Sample, measure

SLICED = ("auroc", "sensitivity", "specificity")


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: `confidence` such as 0.95, `resamples` draws from `seed`."""

    confidence: float
    resamples: int
    seed: int


def summarise(
    sample: Sample,
    groups: ArrayLike,
    classes: Sequence[str],
    slices: Mapping[str, ArrayLike],
    resampling: Resampling,
) -> dict[str, Any]:
    """Metrics with intervals, then counts, `classes` (with several outputs) and `slices`.

    Args:
        sample: the images of the split.
        groups: `(N,)`, the patient of each.
        classes: the class behind each output.
        slices: column -> `(N,)` values; missing ones belong to no slice.
        resampling: how intervals are made.
    """
    groups = np.asarray(groups)
    intervals = _intervals(sample, groups, resampling)
    summary: dict[str, Any] = {name: of[0].to_json() for name, of in intervals.items()}
    # Resampling bends the calibration error upwards, so percentiles would not be its interval.
    summary["ece"] |= {"low": None, "high": None}
    summary |= _counts(sample, groups)
    if len(classes) > 1:
        summary["classes"] = _by_class(sample, intervals, classes)
    summary["slices"] = {
        column: _by_value(sample, groups, np.asarray(values, object), resampling)
        for column, values in slices.items()
    }
    return summary


def _intervals(
    sample: Sample, groups: NDArray[Any], resampling: Resampling
) -> dict[str, list[Interval]]:
    return bootstrap(
        lambda weights: measure(sample, weights),
        groups,
        resampling.confidence,
        resampling.resamples,
        resampling.seed,
    )


def _counts(sample: Sample, groups: NDArray[Any]) -> dict[str, int]:
    counts = {"images": len(sample), "patients": len(np.unique(groups))}
    if sample.kind == "binary":
        counts["positives"] = int(sample.targets.sum())
    return counts


def _by_class(
    sample: Sample, intervals: Mapping[str, list[Interval]], classes: Sequence[str]
) -> dict[str, Any]:
    named = {name: of[1:] for name, of in intervals.items() if len(of) > 1}
    return {
        of: {name: values[k].to_json() for name, values in named.items()}
        | {"positives": int(sample.targets[:, k].sum())}
        for k, of in enumerate(classes)
    }


def _by_value(
    sample: Sample, groups: NDArray[Any], values: NDArray[Any], resampling: Resampling
) -> dict[str, Any]:
    """The metrics of each value of one slice column."""
    known = sorted({value for value in values if isinstance(value, str)})
    return {
        value: _slice(sample.where(values == value), groups[values == value], resampling)
        for value in known
    }


def _slice(sample: Sample, groups: NDArray[Any], resampling: Resampling) -> dict[str, Any]:
    intervals = _intervals(sample, groups, resampling)
    return {name: intervals[name][0].to_json() for name in SLICED} | _counts(sample, groups)
