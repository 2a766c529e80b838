"""Forward passes: every batch has one size, so results do not depend on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common.progress import progress
from tasks.networks import device, memory
from tasks.networks.prefetching import ahead

BATCH_SIZE = 32
LARGE_BATCH_SIZE = 512  # where the device has room: a small one leaves a GPU idle
BYTES_PER_PIXEL = 256  # of a forward pass: four maps of 64 float32 at half the resolution
# XLA compiles convolutions for CPUs to slow code, and JAX has nothing else.
JIT = device.NAME == "jax"


def batch_size(height: int, width: int) -> int:
    """How many images of a size in pixels go through a network at once."""
    room = memory.room()
    if room is None:
        return BATCH_SIZE
    most = min(LARGE_BATCH_SIZE, room // (BYTES_PER_PIXEL * height * width))
    return 1 << max(BATCH_SIZE, most).bit_length() - 1


def outputs(
    forward: Callable[[Any], Any],
    count: int,
    size: int,
    take: Callable[[slice], Any],
    what: str,
    done: int = 0,
) -> Iterator[tuple[slice, list[Any]]]:
    """The outputs of consecutive batches of `count` rows with their rows, left on the device; while
    one batch is used, the next is computed.

    A short batch is filled up with its first row: the graph is compiled for one shape, and no row's
    result depends on how many others came along.

    Args:
        forward: what `backend.forward` makes of a network.
        count: of rows.
        size: of a batch.
        take: the inputs of some rows, as the network takes them.
        what: the rows in words, for the progress.
        done: batches to leave out.
    """

    def compute(rows: slice) -> list[Any]:
        given = rows.stop - rows.start
        filled = keras.tree.map_structure(lambda array: _fill(array, size), take(rows))
        found: list[Any] = keras.tree.flatten(forward(filled))
        return found if given == size else [output[:given] for output in found]

    yield from ahead(compute, progress(slices(count, size)[done:], what))


def slices(rows: int, size: int) -> list[slice]:
    """Consecutive batches of `rows` rows."""
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def _fill(array: NDArray[Any], rows: int) -> NDArray[Any]:
    missing = rows - len(array)
    return np.concatenate([array, np.repeat(array[:1], missing, axis=0)]) if missing else array
