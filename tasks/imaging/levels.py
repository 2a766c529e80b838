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
        stretched[start : start + PART] = shares((part - low) / width)
    return stretched.reshape(values.shape)


def shares(values: Numbers) -> Pixels:
    """0 to 1 as 0 to 255; what lies outside is clipped."""
    return np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def spread(values: Numbers, of: Numbers | None = None) -> Pixels:
    """Stretch between the 0.5th and the 99.5th percentile of `of`, else of the values themselves.

    For whatever has more than 8 bits and no window. Dividing by the type's range instead would turn
    the usual 12 bits in a 16-bit file nearly black, and one dead pixel spoils minimum and maximum.

    Raises:
        DecodeError: a value is NaN or infinite, or they are too far apart.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DecodeError("pixels that are no finite numbers")
    with np.errstate(all="ignore"):
        low, high = np.percentile(_subtractable(values if of is None else of), PERCENTILES)
        wide = not np.isfinite(high - low)
    if wide:
        raise DecodeError("pixels further apart than a number can say")
    return stretch(values, float(low), float(high))


def _subtractable(values: Numbers) -> Numbers:
    """Numbers between any two of which the difference is one of their type, as percentiles need."""
    signed = values.dtype.kind == "i" and values.size > 0
    if signed and int(values.max()) - int(values.min()) > np.iinfo(values.dtype).max:
        return values.astype(np.float64)
    return values
