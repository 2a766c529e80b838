"""Fixed batches: every forward pass sees batches of one size, so results do not depend on it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

BATCH_SIZE = 32
# XLA compiles convolutions for CPUs to slow code, and JAX has nothing else.
JIT = keras.backend.backend() == "jax"


def predict(model: keras.Model, inputs: list[NDArray[Any]], batch_size: int) -> list[NDArray[Any]]:
    """Outputs of one batch of at most `batch_size` rows, in a list.

    A short batch is filled up with its first row: the graph is compiled for one shape, and no row's
    result depends on how many others came along.
    """
    rows = len(inputs[0])
    full = [_fill(array, batch_size) for array in inputs]
    outputs = keras.tree.flatten(model.predict_on_batch(full if len(full) > 1 else full[0]))
    return [np.asarray(output)[:rows] for output in outputs]


def slices(rows: int, batch_size: int) -> list[slice]:
    """Consecutive batches of `rows` rows."""
    return [slice(start, min(start + batch_size, rows)) for start in range(0, rows, batch_size)]


def _fill(array: NDArray[Any], rows: int) -> NDArray[Any]:
    missing = rows - len(array)
    return np.concatenate([array, np.repeat(array[:1], missing, axis=0)]) if missing else array
