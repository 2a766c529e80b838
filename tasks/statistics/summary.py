"""The metrics of one split as they stand in `reports/metrics.json`: whole, by class, by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.common.slices import nested
from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import Figures, Sample, measure
from tasks.statistics.patients import Patients
from tasks.statistics.recalibration import Recalibration

SLICED = ("auroc", "sensitivity", "specificity")
CALIBRATED = ("ece", "brier", "loss")


def summarise(
    sample: Sample,
    groups: ArrayLike,
    classes: Sequence[str],
    slices: Mapping[str, ArrayLike] | None,
    confidence: float,
    prevalence: float | None = None,
) -> dict[str, Any]:
    """Metrics with intervals and counts, then `classes` (with several outputs) and `slices`.

    Args:
        sample: the images of the split.
        groups: `(N,)`, the patient of each.
        classes: the class behind each output.
        slices: column -> `(N,)` values; missing ones belong to no slice. None: no `slices`.
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
    if slices is not None:
        summary["slices"] = nested(
            slices, lambda chosen: _slice(sample.where(chosen), groups[chosen], confidence)
        )
    return summary


def of_calibrated(
    sample: Sample,
    found: Recalibration,
    groups: ArrayLike,
    classes: Sequence[str],
    confidence: float,
) -> dict[str, Any]:
    """What recalibration does, and what it changes; the other arguments as in `summarise`. Shift
    and slope stand where the slope of the scores as they are does: with several outputs in
    `classes`.
    """
    figures = measure(sample.at(found), groups, confidence)
    shifts = [{"shift": shift} for shift in found.shifts] or [{} for _ in classes]
    each = [
        shift | _json({"calibration_slope": one["calibration_slope"]})
        for shift, one in zip(shifts, figures.outputs, strict=True)
    ]
    whole = _json({name: figures.whole[name] for name in CALIBRATED})
    whole |= {"temperature": found.temperature}
    if len(classes) == 1:
        return whole | each[0]
    return whole | {"classes": dict(zip(classes, each, strict=True))}


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


def _slice(sample: Sample, groups: NDArray[Any], confidence: float) -> dict[str, Any]:
    figures = measure(sample, groups, confidence)
    named = {name: figures.mean[name] for name in SLICED}
    return _json(named) | _counts(sample, groups, figures)
