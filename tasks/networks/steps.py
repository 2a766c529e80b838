"""The steps of a compiled network over one epoch.

Examples that lie on the device are stepped over in one call: a step of the head takes less time
than Python between two steps. Others are fed batch by batch. What is computed, and in which order,
is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.networks import device
from tasks.networks.feeds import Examples, Rows

MOST_BYTES = 256_000_000  # of activations on the device; more are fed
Step = Literal["train_step", "test_step"]


def fits(examples: Examples) -> bool:
    """Whether activations can lie on the device, and the backend can step over them there."""
    small = examples.activations.nbytes <= MOST_BYTES
    return small and device.backend.over_rows is not None and device.replicas() is None


class Steps:
    """Steps of a compiled network; each call goes from fresh metrics to their results."""

    def __init__(self, network: keras.Model) -> None:
        self._network = network
        self._examples: Examples | None = None
        self._arrays: tuple[Any, ...] = ()
        self._compiled: dict[Any, Any] = {}

    def over_rows(
        self, step: Step, examples: Examples, rows: Rows, batch_size: int
    ) -> dict[str, float]:
        """Over batches of some rows of the examples, in their order."""
        self._hold(examples)
        over = device.backend.over_rows
        assert over is not None  # `fits` was asked before
        if (step, over) not in self._compiled:
            batch = tuple(array[:1] for array in self._arrays)
            self._compiled[step, over] = over(self._network, step, batch)
        chosen = keras.ops.convert_to_tensor(rows)
        return _numbers(self._compiled[step, over](*self._arrays, chosen, batch_size))

    def over_batches(self, step: Step, batches: keras.utils.PyDataset) -> dict[str, float]:
        """Over batches that are made one by one."""
        over = device.backend.over_batches
        if (step, over) not in self._compiled:
            self._compiled[step, over] = over(self._network, step, batches[0])
        return _numbers(self._compiled[step, over](batches))

    def _hold(self, examples: Examples) -> None:
        if self._examples is not examples:
            arrays: list[NDArray[Any]] = [examples.activations, examples.targets]
            self._arrays = tuple(keras.ops.convert_to_tensor(np.asarray(array)) for array in arrays)
            self._examples = examples


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}
