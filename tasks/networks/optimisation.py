"""The optimiser of a phase: Adam, and how its learning rate goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras

from tasks.networks import device

if TYPE_CHECKING:
    from tasks.common.params.section import Phase

WARM_UP = 0.1  # share of all steps in which the cosine's rate rises
FACTOR = 0.2  # of the rate after a plateau


def adam(model: keras.Model, phase: Phase, steps: int) -> keras.optimizers.Optimizer:
    """Adam (Kingma and Ba 2015, ICLR) for what is trainable in `model`.

    Args:
        model: built.
        phase: rate and schedule.
        steps: of the whole fit: where the cosine ends.
    """
    with device.scope():
        rate = _cosine(phase, steps) if phase.schedule == "cosine" else phase.learning_rate
        optimizer = keras.optimizers.Adam(rate)
        optimizer.build(model.trainable_variables)
    return optimizer


def follow(optimizer: keras.optimizers.Optimizer, phase: Phase, losses: Sequence[float]) -> None:
    """Set the rate of the next epoch by the losses on val so far: with `plateau`, lower after each
    half of the patience without a better one.
    """
    if phase.schedule == "plateau":
        optimizer.learning_rate = plateau(phase.learning_rate, losses, (phase.patience + 1) // 2)


def plateau(rate: float, losses: Sequence[float], wait: int) -> float:
    """The rate after `losses`, cut by `FACTOR` each time `wait` of them were not the best."""
    best, since = float("inf"), 0
    for loss in losses:
        best, since = (loss, 0) if loss < best else (best, since + 1)
        if since == wait:
            rate, since = rate * FACTOR, 0
    return rate


def _cosine(phase: Phase, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    warm = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm), warmup_target=phase.learning_rate, warmup_steps=warm
    )
