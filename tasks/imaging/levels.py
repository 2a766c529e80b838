"""Any numbers to 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DecodeError

Pixels = NDArray[np.uint8]
Numbers = NDArray[Any]

PERCENTILES = (0.5, 99.5)
PART = 2**20  # values that are computed with at once: as 64 bits, all of them may fill the memory


def stretch(values: Numbers, low: float, high: float) -> Pixels:
    """`low` and below to 0, `high` and above to 255, linear between them."""
    values = np.asarray(values)
    flat, width = values.reshape(-1), max(high - low, np.finfo(float).tiny)
    stretched = np.empty(flat.size, np.uint8)
    for start in range(0, flat.size, PART):
        part = flat[start : start + PART].astype(np.float64)
        with np.errstate(over="ignore"):  # what is infinite is white
            stretched[start : start + PART] = shares((part - low) / width)
    return stretched.reshape(values.shape)


def shares(values: Numbers) -> Pixels:
    """0 to 1 as 0 to 255; what lies outside is clipped."""
    return np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def spread(values: Numbers, reference: Numbers | None = None) -> Pixels:
    """Stretch between the 0.5th and the 99.5th percentile of `reference`, else of `values`.

    For whatever has more than 8 bits and no window. Dividing by the type's range instead would turn
    the usual 12 bits in a 16-bit file nearly black, and one dead pixel spoils minimum and maximum.

    Raises:
        DecodeError: a value is NaN or infinite, or they are too far apart.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DecodeError("pixels that are no finite numbers")
    if reference is None:
        values = _from_zero(values)
    with np.errstate(all="ignore"):
        low, high = np.percentile(
            _subtractable(values if reference is None else reference), PERCENTILES
        )
        wide = not np.isfinite(high - low)
    if wide:
        raise DecodeError("pixels further apart than a number can say")
    return stretch(values, float(low), float(high))


def _from_zero(values: Numbers) -> Numbers:
    """Whole numbers of 64 bits less the lowest, where they are past those that a float tells apart
    from their neighbours.
    """
    if values.dtype.kind == "f" or values.dtype.itemsize < 8 or values.size == 0:
        return values
    low, high = values.min(), values.max()
    if max(-int(low), int(high)) <= 2**53:
        return values
    return np.asarray((values - low).view(np.uint64))  # what wraps around is right without a sign


def _subtractable(values: Numbers) -> Numbers:
    """Numbers between any two of which the difference is one of their type, as percentiles need."""
    signed = values.dtype.kind == "i" and values.size > 0
    if signed and int(values.max()) - int(values.min()) > np.iinfo(values.dtype).max:
        return values.astype(np.float64)
    return values
