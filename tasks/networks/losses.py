"""Cross-entropies that weigh the classes, for each kind of task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from tasks.common.errors import TrainingError

Loss = Callable[[Any, Any], Any]
Penalty = Callable[[], Any]


def class_weights(
    kind: str, names: Sequence[str], targets: NDArray[np.float32], balanced: bool
) -> NDArray[np.float32]:
    """Weights `(2, K)` of absent and present in each output. In a multiclass task only those of
    present count.

    Args:
        kind: binary, multiclass or multilabel.
        names: the class behind each output.
        targets: `(N, K)` of the training images.
        balanced: inversely to how often they occur, 1 on average; otherwise all are 1.

    Raises:
        TrainingError: a class has no training image, or a two-sided output only such.
    """
    present = targets.sum(axis=0)
    counts = np.stack([len(targets) - present, present])
    _check(kind, names, counts)
    if not balanced:
        return np.ones(counts.shape, np.float32)
    share = counts.shape[1] if kind == "multiclass" else 2
    weights = len(targets) / (share * np.maximum(counts, 1))
    return np.asarray(weights, np.float32)


def even(targets: NDArray[np.float32], balanced: bool) -> NDArray[np.float64]:
    """The score `(K,)` of each two-sided output by which an image says nothing: the share of
    present ones as `class_weights` weighs them, whose loss is lowest for all images alike.

    Args:
        targets: `(N, K)` of the training images.
        balanced: as in `class_weights`.
    """
    if balanced:
        return np.full(targets.shape[1], 0.5)
    return np.asarray(targets.mean(axis=0), np.float64)


def cross_entropy(kind: str, weights: NDArray[np.float32], smoothing: float = 0.0) -> Loss:
    """Loss `(N,)` of targets and scores `(N, K)`: categorical in a multiclass task, else binary and
    averaged over the outputs.

    Args:
        kind: binary, multiclass or multilabel.
        weights: `(2, K)` of absent and present; ones leave the classes as they are.
        smoothing: share of every target that is spread evenly over its classes (Szegedy et al.
            2016, CVPR).
    """
    absent, present = (ops.convert_to_tensor(row) for row in weights)

    share = smoothing / (len(present) if kind == "multiclass" else 2)

    def smooth(targets: Any) -> Any:
        return targets * (1 - smoothing) + share if smoothing else targets

    def categorical(targets: Any, scores: Any) -> Any:
        weight = ops.sum(targets * present, axis=-1)
        return weight * ops.categorical_crossentropy(smooth(targets), scores)

    def binary(targets: Any, scores: Any) -> Any:
        weight = targets * present + (1 - targets) * absent
        return ops.mean(weight * ops.binary_crossentropy(smooth(targets), scores), axis=-1)

    return categorical if kind == "multiclass" else binary


def penalised(loss: Loss, penalty: Penalty) -> Loss:
    """The same loss with a penalty on top of that of every example."""
    return lambda targets, scores: loss(targets, scores) + penalty()


def penalty(kernel: Any, l1: float, l2: float) -> Penalty:
    """`l1` times the sum of absolute weights in `kernel`, and `l2` times that of their squares."""
    return lambda: l1 * ops.sum(ops.abs(kernel)) + l2 * ops.sum(ops.square(kernel))


def _check(kind: str, names: Sequence[str], counts: NDArray[np.float32]) -> None:
    missing = [name for name, count in zip(names, counts[1], strict=True) if count == 0]
    always = [name for name, count in zip(names, counts[0], strict=True) if count == 0]
    problems = [f"no training image shows {name!r}" for name in missing]
    if kind != "multiclass":
        problems += [f"every training image shows {name!r}" for name in always]
    if problems:
        raise TrainingError(
            f"required: training images with and without each class; received: "
            f"{'; '.join(problems)}. Check the labels of the source, task.classes, and "
            "reports/split.json for how the classes are spread"
        )
