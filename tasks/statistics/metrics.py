"""The figures of a set of scored images, by kind of task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.statistics import Array, areas, calibration, proportions, recalibration
from tasks.statistics.intervals import UNDEFINED, Estimate, Interval, combine, deviate
from tasks.statistics.patients import Patients, enough
from tasks.statistics.precision_recall import auprc
from tasks.statistics.recalibration import Recalibration

AtPoint = Callable[[Array, Array, Patients, float], Estimate]
AT_POINT: dict[str, AtPoint] = {
    "sensitivity": proportions.sensitivity,
    "specificity": proportions.specificity,
    "ppv": proportions.ppv,
    "npv": proportions.npv,
    "balanced_accuracy": proportions.balanced_accuracy,
    "f1": proportions.f1,
    "mcc": proportions.mcc,
}


@dataclass(frozen=True)
class Sample:
    """Scored images: targets, scores and predictions (0 or 1), each `(N, K)` float64."""

    kind: str
    targets: Array
    scores: Array
    predictions: Array

    def __len__(self) -> int:
        return len(self.targets)

    def where(self, chosen: NDArray[np.bool_]) -> Sample:
        """The chosen images only."""
        return Sample(
            self.kind, self.targets[chosen], self.scores[chosen], self.predictions[chosen]
        )

    def at(self, found: Recalibration) -> Sample:
        """With its scores recalibrated, and the same predictions."""
        return replace(self, scores=recalibration.apply(self.kind, self.scores, found))


@dataclass(frozen=True)
class Figures:
    """What is measured of a sample.

    Attributes:
        whole: of the images as a whole.
        mean: the mean over the outputs, of those that can be judged if there are any.
        outputs: of each output.
        judged: which outputs can be judged, see `patients.enough`. The others have no intervals.
    """

    whole: dict[str, Interval]
    mean: dict[str, Interval]
    outputs: list[dict[str, Interval]]
    judged: list[bool]


def measure(
    sample: Sample, groups: ArrayLike, confidence: float, prevalence: float | None = None
) -> Figures:
    """Every figure of a sample whose images are of the patients `groups` `(N,)`; with `prevalence`
    also the predictive values there.
    """
    patients = Patients(groups)
    judged = [enough(column, patients) for column in sample.targets.T]
    each = [Output(sample, k, patients, confidence) for k in range(sample.targets.shape[1])]
    outputs = [one.figures(prevalence) for one in each]
    mean = _mean(each, judged, outputs, confidence)
    whole = _whole(sample, patients, confidence)
    if not any(judged):
        whole, mean = _bare(whole), _bare(mean)
    shown = [f if ok else _bare(f) for f, ok in zip(outputs, judged, strict=True)]
    return Figures(whole, mean, shown, judged)


class Output:
    """One output of a sample: its figures, and what a mean over outputs needs of them."""

    def __init__(self, sample: Sample, k: int, patients: Patients, confidence: float) -> None:
        """Measure output `k`."""
        self.y, self.scores = sample.targets[:, k], sample.scores[:, k]
        self.positives = float(self.y.sum())
        self._patients, self._confidence = patients, confidence
        both = 0 < self.positives < len(self.y)
        self.area = areas.area(self.y, self.scores, patients) if both else None
        self.estimates = {
            name: figure(self.y, sample.predictions[:, k], patients, confidence)
            for name, figure in AT_POINT.items()
        }
        self.estimates["auprc"] = auprc(self.y, self.scores, patients, confidence)

    def figures(self, prevalence: float | None) -> dict[str, Interval]:
        """Every figure with its interval."""
        found = [self.area] if self.area else []
        slope = calibration.slope(self.y, self.scores, self._patients, self._confidence)
        figures = {
            "auroc": areas.combined(found, [1.0], self._confidence),
            **{name: estimate.interval for name, estimate in self.estimates.items()},
            "calibration_slope": slope if found else UNDEFINED,
        }
        if prevalence is not None:
            sides = self.estimates["sensitivity"], self.estimates["specificity"]
            names = ("ppv_at_prevalence", "npv_at_prevalence")
            values = proportions.predictive_values(*sides, prevalence)
            figures |= dict(zip(names, values, strict=True))
        return figures


def _mean(
    each: Sequence[Output],
    judged: Sequence[bool],
    outputs: Sequence[dict[str, Interval]],
    confidence: float,
) -> dict[str, Interval]:
    """The mean over the outputs, of those judged if there are any; of the AUROC also the one that
    weighs each by its positives.
    """
    if len(each) == 1:
        return outputs[0]
    chosen = [one for one, ok in zip(each, judged, strict=True) if ok or not any(judged)]
    with_area = [(one.area, one.positives) for one in chosen if one.area]
    found, positives = [one for one, _ in with_area], np.array([n for _, n in with_area])
    equal = np.full(len(found), 1 / max(len(found), 1))
    figures = {
        "auroc": areas.combined(found, equal, confidence),
        "auroc_weighted": areas.combined(found, positives / max(positives.sum(), 1), confidence),
    }
    for name in each[0].estimates:
        estimates = [one.estimates[name] for one in chosen]
        defined = [e for e in estimates if not math.isnan(e.interval.value)]
        weights = [1 / max(len(defined), 1)] * len(defined)
        figures[name] = combine(defined, weights).interval if defined else UNDEFINED
    return figures


def auroc(targets: Array, scores: Array, groups: ArrayLike) -> float:
    """AUROC as everywhere: the mean over the outputs that can be judged, if none can over those
    that have both outcomes, NaN if none has. Targets and scores `(N, K)`.
    """
    chosen = compared(targets, groups)
    return float(np.mean([areas.auroc(targets[:, k], scores[:, k]) for k in chosen] or [math.nan]))


def compared(targets: Array, groups: ArrayLike) -> list[int]:
    """The outputs of targets `(N, K)` that stand for all: those that can be judged, if none can
    those that have both outcomes.
    """
    patients = Patients(groups)
    judged = [k for k, y in enumerate(targets.T) if enough(y, patients)]
    return judged or [k for k, y in enumerate(targets.T) if y.any() and not y.all()]


def _whole(sample: Sample, patients: Patients, confidence: float) -> dict[str, Interval]:
    shares = {"accuracy": hits(sample), "brier": brier(sample)}
    if sample.kind != "multiclass":
        shares["accuracy_at_half"] = hits(sample, at_half=True)
    found = {
        name: proportions.mean(values, patients, confidence).interval
        for name, values in shares.items()
    }
    found["loss"] = _unbounded_mean(losses(sample), patients, confidence)
    return found | {"ece": Interval(calibration_error(sample), math.nan, math.nan)}


def _unbounded_mean(values: Array, patients: Patients, confidence: float) -> Interval:
    """The mean of values above 0 that have no upper bound; Wald's interval, patients as units."""
    if not len(values):
        return UNDEFINED
    value = float(values.mean())
    totals = patients.totals((values - value) / len(values))
    reach = deviate(confidence) * math.sqrt(patients.variance(totals))
    return Interval(value, max(value - reach, 0.0), value + reach)


def _bare(figures: dict[str, Interval]) -> dict[str, Interval]:
    """The values without intervals."""
    return {name: Interval(figure.value, math.nan, math.nan) for name, figure in figures.items()}


def losses(sample: Sample) -> Array:
    """Cross-entropy of each image in nats: categorical in a multiclass task, else binary and
    averaged over the outputs, as it is trained.
    """
    scores = np.clip(sample.scores, calibration.EPSILON, 1 - calibration.EPSILON)
    likelihood: Array = sample.targets * np.log(scores)
    if sample.kind == "multiclass":
        return np.asarray(-likelihood.sum(axis=1))
    likelihood += (1 - sample.targets) * np.log(1 - scores)
    return np.asarray(-likelihood.mean(axis=1))


def hits(sample: Sample, at_half: bool = False) -> Array:
    """Share of right answers of each image: 0 or 1, or in a multi-label task the share of the
    labels that are right (1 - Hamming loss); at the operating point, or as published tables count
    where a score of 0.5 or more is positive.
    """
    predicted = (sample.scores >= 0.5) if at_half else sample.predictions
    right = predicted == sample.targets
    share = right.all(axis=1) if sample.kind == "multiclass" else right.mean(axis=1)
    return np.asarray(share, float)


def brier(sample: Sample) -> Array:
    """Brier score of each image (Brier 1950, Mon. Weather Rev. 78:1), in [0, 1]: half his sum over
    the classes in a multiclass task, else the squared error, averaged over the outputs.
    """
    squared: Array = (sample.scores - sample.targets) ** 2
    mean = squared.sum(axis=1) / 2 if sample.kind == "multiclass" else squared.mean(axis=1)
    return np.asarray(mean)


def calibration_error(sample: Sample) -> float:
    """Expected calibration error: of the highest score in a multiclass task (Guo et al. 2017,
    ICML), else of the score, averaged over the outputs.
    """
    if sample.kind == "multiclass":
        top = sample.scores.argmax(axis=1)[:, None]
        right = np.take_along_axis(sample.targets, top, axis=1)[:, 0]
        return calibration.error(right, sample.scores.max(axis=1))
    pairs = zip(sample.targets.T, sample.scores.T, strict=True)
    return float(np.mean([calibration.error(y, s) for y, s in pairs]))
