"""The training steps of a compiled network over one epoch.

Examples that lie on the device are stepped over in one call: a step of the head takes less time
than Python between two steps. Others are fed batch by batch. What is computed, and in which order,
is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from tasks.networks import device, memory, residence
from tasks.networks.feeds import Examples, Rows


class Steps:
    """Training steps; each call goes from fresh metrics to their results."""

    def __init__(self, network: keras.Model) -> None:
        self._network = network
        self._held: list[tuple[Any, Any]] = []  # arrays, and themselves on the device
        self._compiled: dict[Any, Any] = {}  # a call of the backend -> what it made

    def over(self, examples: Examples, rows: Rows, batch_size: int) -> dict[str, float]:
        """Over batches of some rows of the examples, in their order.

        Raises:
            NoMemoryError: the device has too little memory.
        """
        with memory.fitting("Lower batch_size in train or fine_tune"):
            if residence.of_steps(examples):
                return self.over_rows(examples, rows, batch_size)
            return self.over_batches(examples.batches(rows, batch_size))

    def over_rows(self, examples: Examples, rows: Rows, batch_size: int) -> dict[str, float]:
        """The same of examples that are put on the device."""
        held = self._hold((examples.inputs, examples.targets))
        over = device.backend.over_rows
        if over not in self._compiled:
            batch = keras.tree.map_structure(lambda array: array[:1], held)
            self._compiled[over] = over(self._network, batch)
        chosen = keras.ops.convert_to_tensor(rows)
        return _numbers(self._compiled[over](held, chosen, batch_size))

    def over_batches(self, batches: keras.utils.PyDataset) -> dict[str, float]:
        """Over batches that are made one by one."""
        over = device.backend.over_batches
        if over not in self._compiled:
            self._compiled[over] = over(self._network, batches[0])
        return _numbers(self._compiled[over](batches))

    def _hold(self, examples: Any) -> Any:
        """The arrays on the device; those of the call before are there already."""
        held = {id(array): (array, tensor) for array, tensor in self._held}
        arrays = keras.tree.flatten(examples)
        self._held = [held.get(id(array)) or (array, _put(array)) for array in arrays]
        return keras.tree.pack_sequence_as(examples, [tensor for _, tensor in self._held])


def _put(array: Any) -> Any:
    return device.backend.put(array if keras.ops.is_tensor(array) else array[:])


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}
