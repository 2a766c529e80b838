"""Where what training reads lies. It follows from the machine, never what is learnt.

On a CPU a forward pass takes 20 ms per image, and the disk is fast beside it: what a pass computes
is stored. On a GPU it takes 0.05 ms, and the way of late activations to the host 0.4: what fits
stays on the device, and of the rest is stored only what is smaller than the pixels that it comes
from (docs/gpu.md has the measurements).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum, auto

import keras

from tasks.networks import device, memory
from tasks.networks.feeds import Examples
from tasks.networks.pass_files import size_of

MOST_BYTES = 256_000_000  # of activations that are copied to step over them, on a CPU


class Residence(Enum):
    """Of the activations of a pass. Where there is none, they are computed anew in each step."""

    DEVICE = auto()
    DISK = auto()


def of_pass(activations: Sequence[int], images: Sequence[int], copies: int) -> list[Residence]:
    """Where the activations of a pass may lie, the best first.

    Args:
        activations: their shape `(V * N, ...)`.
        images: the shape `(N, H, W, C)` of what they come from.
        copies: how many such passes are there at once.
    """
    room = memory.room()
    if room is None or device.replicas() is not None:  # these are fed by the host
        return [Residence.DISK]
    fits = copies * size_of(activations) <= room
    smaller = size_of(activations[1:]) <= math.prod(images[1:])
    return [Residence.DEVICE] * fits + [Residence.DISK] * smaller


def of_steps(examples: Examples) -> bool:
    """Whether examples shall be stepped over on the device. Else their batches go there one by one,
    as pixels do on a CPU, where a step through the whole network outweighs being fed.
    """
    if device.replicas() is not None:
        return False
    arrays = keras.tree.flatten(examples.inputs)
    if all(map(keras.ops.is_tensor, arrays)):
        return True
    size, room = sum(array.nbytes for array in arrays), memory.room()
    if room is None:
        return device.backend.LOOPS_ON_CPUS and len(arrays) == 1 and size <= MOST_BYTES
    return bool(size <= room)
