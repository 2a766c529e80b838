"""Stored activations that lie on the device: a whole epoch of small steps is one call.

A step of the head takes less time than Python between two steps, and than setting up Keras's own
feeding of batches for an epoch. What is computed, and in which order, is the same.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.networks import device
from tasks.networks.feeds import Examples, Rows

MOST_BYTES = 256_000_000  # of activations; more are fed batch by batch


def fits(examples: Examples) -> bool:
    """Whether activations can lie on the device, and the backend can step over them there."""
    small = examples.activations.nbytes <= MOST_BYTES
    return small and device.edge.over_rows is not None and device.replicas() is None


class Resident:
    """Steps of a compiled network over examples that lie on the device."""

    def __init__(self, network: keras.Model) -> None:
        self._network = network
        self._examples: Examples | None = None
        self._arrays: list[Any] = []
        self._steps: dict[str, Any] = {}

    def train(self, examples: Examples, rows: Rows, batch_size: int) -> dict[str, float]:
        """Train on batches of `rows`, in their order; the running metrics."""
        return self._run("train_step", examples, rows, batch_size)

    def test(self, examples: Examples, batch_size: int) -> dict[str, float]:
        """The metrics of each image in its first view."""
        return self._run("test_step", examples, np.arange(len(examples.targets)), batch_size)

    def _run(self, step: str, examples: Examples, rows: Rows, size: int) -> dict[str, float]:
        self._hold(examples)
        if step not in self._steps:
            batch = [array[:1] for array in self._arrays]
            # Makes the metrics' variables; no public call does, in 3.15.
            self._network._symbolic_build(data_batch=(*batch, None))
            self._steps[step] = device.edge.over_rows(self._network, step)
        found = self._steps[step](*self._arrays, keras.ops.convert_to_tensor(rows), size)
        return {name: float(value) for name, value in found.items()}

    def _hold(self, examples: Examples) -> None:
        if self._examples is not examples:
            arrays: list[NDArray[Any]] = [examples.activations, examples.targets]
            self._arrays = [keras.ops.convert_to_tensor(np.asarray(array)) for array in arrays]
            self._examples = examples
