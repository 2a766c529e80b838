"""The optimiser of a phase: Adam, and how its learning rate goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import keras
import numpy as np

from tasks.networks import device

if TYPE_CHECKING:
    from tasks.common.params.section import Phase

WARM_UP = 0.1  # share of all steps in which the cosine's rate rises
FACTOR = 0.2  # of the rate after a plateau
NOT_DECAYED = ["bias", "gamma", "beta"]


def adam(model: keras.Model, phase: Phase, steps: int) -> keras.optimizers.Optimizer:
    """Adam (Kingma and Ba 2015, ICLR) for what is trainable in `model`, with decoupled weight decay
    (Loshchilov and Hutter 2019, ICLR) and a running average of the weights where these are asked
    for.

    Args:
        model: built.
        phase: rate and schedule, decay and average.
        steps: of the whole fit: where the cosine ends.
    """
    with device.scope():
        optimizer = keras.optimizers.Adam(
            _cosine(phase, steps) if phase.schedule == "cosine" else phase.learning_rate,
            weight_decay=phase.weight_decay or None,
            use_ema=phase.average > 0,
            ema_momentum=phase.average,
        )
        if phase.weight_decay:
            optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
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


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Let a compiled `model` hold its averaged weights, where its optimiser keeps such."""
    optimizer, variables = model.optimizer, model.trainable_variables
    if not optimizer.use_ema:
        yield
        return
    held = [np.asarray(variable) for variable in variables]
    optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, held, strict=True):
            variable.assign(value)


def _cosine(phase: Phase, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    warm = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm), warmup_target=phase.learning_rate, warmup_steps=warm
    )
