"""How small a temperature would make the loss: the metric by which an epoch is chosen.

Training on goes from right to sure: the loss on val rises while the order of the scores still gets
better. Sureness is set afterwards, by one temperature that is fitted on val (Guo et al. 2017,
ICML). So epochs are compared as they will be used.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.networks.losses import Loss

NAME = "calibrated_loss"
STEPS = 8  # temperatures per doubling
LOGARITHMS = (-2, 5)  # of base 2 of the smallest and the largest
EPSILON = 1e-7  # what float32 can tell from 0 and from 1


class CalibratedLoss(keras.metrics.Metric):  # type: ignore[misc]  # keras ships no types
    """The least mean loss over a row of temperatures, from 1/4 to 32.

    Args:
        loss: `(N,)` of targets and scores `(N, K)`.
        kind: of the task: whose scores are softmax, and whose are sigmoid.
    """

    def __init__(self, loss: Loss, kind: str) -> None:
        super().__init__(name=NAME, dtype="float32")
        low, high = (STEPS * end for end in LOGARITHMS)
        self._temperatures = np.array([2 ** (k / STEPS) for k in range(low, high + 1)], np.float32)
        self._loss, self._kind = loss, kind
        count = len(self._temperatures)
        self._totals = self.add_variable((count,), keras.initializers.Zeros(), name="totals")
        self._rows = self.add_variable((), keras.initializers.Zeros(), name="rows")

    def update_state(self, targets: Any, scores: Any, sample_weight: Any = None) -> None:
        """Take in a batch: targets and scores `(N, K)`."""
        targets, scores = ops.cast(targets, "float32"), ops.cast(scores, "float32")
        logits = self._logits(ops.clip(scores, EPSILON, 1 - EPSILON))
        count = len(self._temperatures)
        repeated = ops.tile(targets, (count, 1))
        at_each = ops.reshape(self._at_each(logits), ops.shape(repeated))
        losses = ops.reshape(self._loss(repeated, at_each), (count, -1))
        self._totals.assign_add(ops.sum(losses, axis=1))
        self._rows.assign_add(ops.cast(ops.shape(targets)[0], "float32"))

    def result(self) -> Any:
        """The least mean so far."""
        return ops.min(self._totals) / ops.maximum(self._rows, 1)

    def _logits(self, scores: Any) -> Any:
        logarithms = ops.log(scores)
        return logarithms if self._kind == "multiclass" else logarithms - ops.log1p(-scores)

    def _at_each(self, logits: Any) -> Any:
        """Scores `(T, N, K)`."""
        cooled = logits / ops.reshape(ops.convert_to_tensor(self._temperatures), (-1, 1, 1))
        return ops.softmax(cooled) if self._kind == "multiclass" else ops.sigmoid(cooled)
