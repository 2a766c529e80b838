"""Which images of a sample are worth showing and testing, and what speaks for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.statistics import curves
from tasks.statistics.metrics import Sample


@dataclass(frozen=True)
class Example:
    """An image to show.

    `row` is its place in the sample, `name` the class that its label holds, `predicted` what was
    said about it, `output` whose score says so, by being low where `absent`.
    """

    row: int
    name: str
    predicted: str
    right: bool
    output: int
    absent: bool
    score: float

    @property
    def confidence(self) -> float:
        """The score of what was predicted: of a class that was predicted absent, 1 - score."""
        return 1 - self.score if self.absent else self.score


def choose(sample: Sample, classes: Sequence[str], count: int) -> list[Example]:
    """For each class, among the images that hold it, the `count` most confident right predictions
    and the `count` most confident wrong ones.
    """
    chosen = []
    for found in _examples(sample, classes):
        ordered = sorted(found, key=lambda one: (-one.confidence, one.row))
        for wanted in (True, False):
            chosen += [one for one in ordered if one.right == wanted][:count]
    return chosen


def right(sample: Sample, classes: Sequence[str]) -> dict[str, list[Example]]:
    """For each class, the images that hold it and were predicted right."""
    found = zip(classes, _examples(sample, classes), strict=True)
    return {name: [one for one in examples if one.right] for name, examples in found}


def _examples(sample: Sample, classes: Sequence[str]) -> list[list[Example]]:
    """The images that hold each class."""
    held, outputs, correct = _by_class(sample)
    answers = curves.answers(sample.kind, classes, sample.predictions)
    found: list[list[Example]] = []
    for k, name in enumerate(classes):
        said = answers[k] if sample.kind == "multilabel" else answers[0]
        found.append([])
        for row in np.flatnonzero(held[:, k]).tolist():
            output = int(outputs[row, k])
            absent, score = not sample.predictions[row, output], float(sample.scores[row, output])
            told = row, name, said[row], bool(correct[row, k]), output, absent, score
            found[-1].append(Example(*told))
    return found


def _by_class(sample: Sample) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Whether each image holds each class, which output speaks about it, and whether it is right;
    each `(N, classes)`.
    """
    held, said = sample.targets > 0, sample.predictions > 0
    if sample.kind == "multiclass":
        return held, np.broadcast_to(said.argmax(axis=1)[:, None], held.shape), said
    if sample.kind == "binary":
        held = np.hstack([~held, held])
    outputs = np.broadcast_to(np.arange(said.shape[1]), held.shape)
    return held, outputs, np.broadcast_to(said == (sample.targets > 0), held.shape)
