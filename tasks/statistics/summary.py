"""The metrics of one split as they stand in `reports/metrics.json`: whole, by class, by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import Figures, Sample, measure
from tasks.statistics.patients import Patients

SLICED = ("auroc", "sensitivity", "specificity")
LONGEST_NUMBER = 9
CALIBRATED = ("ece", "brier", "loss")


def summarise(
    sample: Sample,
    groups: ArrayLike,
    classes: Sequence[str],
    slices: Mapping[str, ArrayLike],
    confidence: float,
    prevalence: float | None = None,
) -> dict[str, Any]:
    """Metrics with intervals and counts, then `classes` (with several outputs) and `slices`.

    Args:
        sample: the images of the split.
        groups: `(N,)`, the patient of each.
        classes: the class behind each output.
        slices: column -> `(N,)` values; missing ones belong to no slice.
        confidence: of the intervals, such as 0.95.
        prevalence: share of positives for which predictive values are given too.
    """
    groups = np.asarray(groups)
    figures = measure(sample, groups, confidence, prevalence)
    summary = _json(figures.mean | figures.whole) | _counts(sample, groups, figures)
    if len(classes) > 1:
        summary["classes"] = {
            name: _json(figures.outputs[k]) | _count(sample, groups, k) | _remark(figures.judged[k])
            for k, name in enumerate(classes)
        }
    summary["slices"] = {
        column: _by_value(sample, groups, np.asarray(values, object), confidence)
        for column, values in slices.items()
    }
    return summary


def of_calibrated(
    sample: Sample, groups: ArrayLike, classes: Sequence[str], confidence: float
) -> dict[str, Any]:
    """What a temperature changes, of a sample with calibrated scores; arguments as in `summarise`.
    The slope stands where that of the scores as they are does: with several outputs in `classes`.
    """
    figures = measure(sample, groups, confidence)
    slopes = [_json({"calibration_slope": of["calibration_slope"]}) for of in figures.outputs]
    whole = _json({name: figures.whole[name] for name in CALIBRATED})
    if len(classes) == 1:
        return whole | slopes[0]
    return whole | {"classes": dict(zip(classes, slopes, strict=True))}


def _json(figures: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.to_json() for name, interval in figures.items()}


def _remark(judged: bool) -> dict[str, bool]:
    return {"judged": judged}


def _count(sample: Sample, groups: NDArray[Any], k: int) -> dict[str, int]:
    """Images, and patients, with the finding of output `k` and patients without."""
    targets, patients = sample.targets[:, k], Patients(groups)
    return {
        "positives": int(targets.sum()),
        "patients_with": patients.having(targets),
        "patients_without": patients.having(1 - targets),
    }


def _counts(sample: Sample, groups: NDArray[Any], figures: Figures) -> dict[str, int]:
    counts = {"images": len(sample), "patients": len(np.unique(groups))}
    if sample.kind == "binary":
        counts |= _count(sample, groups, 0)
    return counts | _remark(any(figures.judged))


def _by_value(
    sample: Sample, groups: NDArray[Any], values: NDArray[Any], confidence: float
) -> dict[str, Any]:
    """The metrics of each value of one slice column."""
    return {
        value: _slice(sample.where(values == value), groups[values == value], confidence)
        for value in known(values)
    }


def known(values: NDArray[Any]) -> list[str]:
    """The values of a slice column, in order."""
    return sorted({value for value in values if isinstance(value, str)}, key=_in_order)


def _in_order(value: str) -> str:
    """What sorts batch 10 behind batch 2."""
    return value.zfill(LONGEST_NUMBER) if value.isdecimal() else value


def _slice(sample: Sample, groups: NDArray[Any], confidence: float) -> dict[str, Any]:
    figures = measure(sample, groups, confidence)
    named = {name: figures.mean[name] for name in SLICED}
    return _json(named) | _counts(sample, groups, figures)
