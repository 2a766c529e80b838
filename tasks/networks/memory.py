"""The memory of the device: how much of it one purpose may fill, and what happens without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from tasks.common.errors import TrainingError
from tasks.networks import device

SHARE = 0.25  # of what is free


class NoMemoryError(TrainingError):
    """The device has too little memory."""


@cache  # else it would follow from what was computed before, and change in the course of a fit
def room() -> int | None:
    """Bytes of a device's memory that one purpose may fill, a part of what is free when it is asked
    first: others come beside it. None: networks compute where the host's arrays lie.
    """
    free = device.backend.memory()
    return None if free is None else int(SHARE * free)


@contextmanager
def fitting(advice: str = "Lower preprocess.size") -> Iterator[None]:
    """Compute something on the device; by default what batches of images go through.

    Raises:
        NoMemoryError: it has too little memory for that; `advice` says what needs less.
    """
    try:
        yield
    except Exception as error:
        if not device.backend.is_out_of_memory(error):
            raise
        received = str(error).partition("\n")[0].rstrip(".")
        raise NoMemoryError(
            f"required: enough memory of the device; received: {received}. {advice}, or end what "
            "else computes on it."
        ) from error
