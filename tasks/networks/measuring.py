"""What a network says of val between two epochs, measured on the host: exactly, and in one way
wherever the examples lie.

An epoch is chosen by its *calibrated* loss: what recalibration leaves of the cross-entropy, with
the class weights of training. Training on goes from right to sure, and class weights move all
scores to one side: the loss on val rises while the order of the scores still gets better. What
`evaluate` sets right afterwards anyway shall not count against an epoch.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.networks import device, memory, residence
from tasks.networks.feeds import Examples
from tasks.networks.prediction import slices
from tasks.statistics import areas, recalibration

CALIBRATED = "calibrated_loss"
MEASURED = ("loss", "accuracy", "auroc", CALIBRATED)


class Scorer:
    """The scores of a compiled network, batch after batch of one size."""

    def __init__(self, network: keras.Model, batch_size: int) -> None:
        self._forward, self._size = device.backend.forward(network), batch_size
        self._held: tuple[Any, Any] | None = None  # examples, and their inputs on the device

    def scores(self, examples: Examples) -> NDArray[np.float32]:
        """Of each image `(N, K)`, in its first view.

        Raises:
            NoMemoryError: the device has too little memory.
        """
        with memory.fitting("Lower batch_size in train or fine_tune"):
            inputs = self._inputs(examples)
            batches = slices(len(examples.targets), self._size)
            return np.concatenate([self._of(inputs, rows) for rows in batches])

    def _of(self, inputs: Any, rows: slice) -> NDArray[np.float32]:
        """A short batch is filled up, so that there is one shape to compile for. It is waited for:
        else all would be on the device at once.
        """
        missing = self._size - (rows.stop - rows.start)
        chosen = np.arange(rows.start, rows.stop + missing)
        chosen[rows.stop - rows.start :] = rows.start
        return np.asarray(self._forward(_taken(inputs, chosen)))[: rows.stop - rows.start]

    def _inputs(self, examples: Examples) -> Any:
        if not residence.of_steps(examples):
            return examples.inputs
        if self._held is None or self._held[0] is not examples:
            put = device.backend.put
            self._held = examples, keras.tree.map_structure(put, examples.inputs)
        return self._held[1]


def measured(
    kind: str,
    targets: NDArray[np.float32],
    scores: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> dict[str, float]:
    """Loss, accuracy at 0.5, AUROC and calibrated loss of targets and scores `(N, K)`; both losses
    with the class weights `(2, K)` of `losses.cross_entropy`. The AUROC is the mean over the
    outputs that have both classes, 0.5 where none has. Without finite scores all figures are NaN.
    """
    if not np.isfinite(scores).all():
        return dict.fromkeys(MEASURED, math.nan)
    given = targets.astype(float), scores.astype(float)
    weighted = (kind, *given, weights.astype(float))
    loss, left = recalibration.loss(*weighted), recalibration.loss_left(*weighted)
    figures = loss, _accuracy(kind, *given), _auroc(*given), left
    return dict(zip(MEASURED, figures, strict=True))


def _accuracy(kind: str, targets: NDArray[Any], scores: NDArray[Any]) -> float:
    if kind == "multiclass":
        return float((targets.argmax(axis=1) == scores.argmax(axis=1)).mean())
    return float(((scores > 0.5) == (targets > 0)).mean())


def _auroc(targets: NDArray[Any], scores: NDArray[Any]) -> float:
    each = [areas.auroc(y, s) for y, s in zip(targets.T, scores.T, strict=True)]
    there = [area for area in each if not np.isnan(area)]
    return float(np.mean(there)) if there else 0.5


def _taken(inputs: Any, rows: NDArray[np.int64]) -> Any:
    def of(array: Any) -> Any:
        if keras.ops.is_tensor(array):
            return keras.ops.take(array, rows, axis=0)
        return array[rows]

    return keras.tree.map_structure(of, inputs)
