"""The metrics of a set of scored images, by kind of task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.statistics import weighted
from tasks.statistics.weighted import Array

EPSILON = 1e-7  # scores are kept this far from 0 and 1 in the loss, as Keras does


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


def measure(sample: Sample, weights: Array) -> dict[str, Array]:
    """Every metric under weights `(R, N)`.

    Returns:
        Name -> `(R, 1)` for what concerns the image as a whole (loss, accuracy, brier, ece);
        name -> `(R, 1 + K)` for auroc, auprc, sensitivity and specificity: the unweighted mean
        over the outputs, then each output. Not defined for one output: nor is the mean.
    """
    whole = {
        "loss": weighted.mean(weights, losses(sample)),
        "accuracy": weighted.mean(weights, hits(sample)),
        "brier": weighted.mean(weights, brier(sample)),
        "ece": calibration_error(sample, weights),
    }
    return _by_output(sample, weights) | {name: of[:, None] for name, of in whole.items()}


def _by_output(sample: Sample, weights: Array) -> dict[str, Array]:
    return {
        "auroc": macro(weighted.auroc, weights, sample.targets, sample.scores),
        "auprc": macro(weighted.auprc, weights, sample.targets, sample.scores),
        "sensitivity": macro(weighted.sensitivity, weights, sample.targets, sample.predictions),
        "specificity": macro(weighted.specificity, weights, sample.targets, sample.predictions),
    }


def macro(statistic: weighted.Statistic, weights: Array, targets: Array, values: Array) -> Array:
    """The mean of `statistic` over the outputs, then the statistic of each, `(R, 1 + K)`."""
    outputs = range(targets.shape[1])
    each = np.stack([statistic(weights, targets[:, k], values[:, k]) for k in outputs], axis=1)
    return np.concatenate([each.mean(axis=1, keepdims=True), each], axis=1)


def losses(sample: Sample) -> Array:
    """Cross-entropy of each image in nats: categorical in a multiclass task, else binary and
    averaged over the outputs, as it is trained.
    """
    scores = np.clip(sample.scores, EPSILON, 1 - EPSILON)
    likelihood: Array = sample.targets * np.log(scores)
    if sample.kind == "multiclass":
        return np.asarray(-likelihood.sum(axis=1))
    likelihood += (1 - sample.targets) * np.log(1 - scores)
    return np.asarray(-likelihood.mean(axis=1))


def hits(sample: Sample) -> Array:
    """Share of right answers of each image: 0 or 1, or in a multi-label task the share of the
    labels that are right (1 - Hamming loss).
    """
    right = sample.predictions == sample.targets
    share = right.all(axis=1) if sample.kind == "multiclass" else right.mean(axis=1)
    return np.asarray(share, float)


def brier(sample: Sample) -> Array:
    """Brier score of each image (Brier 1950, Mon. Weather Rev. 78:1), in [0, 1]: half his sum over
    the classes in a multiclass task, else the squared error, averaged over the outputs.
    """
    squared: Array = (sample.scores - sample.targets) ** 2
    mean = squared.sum(axis=1) / 2 if sample.kind == "multiclass" else squared.mean(axis=1)
    return np.asarray(mean)


def calibration_error(sample: Sample, weights: Array) -> Array:
    """Expected calibration error: of the highest score in a multiclass task (Guo et al. 2017,
    ICML), else of the score, averaged over the outputs.
    """
    if sample.kind == "multiclass":
        top = sample.scores.argmax(axis=1)[:, None]
        right = np.take_along_axis(sample.targets, top, axis=1)[:, 0]
        return weighted.calibration_error(weights, right, sample.scores.max(axis=1))
    pairs = zip(sample.targets.T, sample.scores.T, strict=True)
    each = [weighted.calibration_error(weights, y, s) for y, s in pairs]
    return np.asarray(np.mean(each, axis=0))
