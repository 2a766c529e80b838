"""Any numbers to 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DecodeError

Pixels = NDArray[np.uint8]
Numbers = NDArray[Any]

PERCENTILES = (0.5, 99.5)


def stretch(values: Numbers, low: float, high: float) -> Pixels:
    """`low` and below to 0, `high` and above to 255, linear between them."""
    scaled = (np.asarray(values, np.float64) - low) / max(high - low, np.finfo(float).tiny)
    return shares(scaled)


def shares(values: Numbers) -> Pixels:
    """0 to 1 as 0 to 255; what lies outside is clipped."""
    return np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def spread(values: Numbers, of: Numbers | None = None) -> Pixels:
    """Stretch between the 0.5th and the 99.5th percentile of `of`, else of the values themselves.

    For whatever has more than 8 bits and no window. Dividing by the type's range instead would turn
    the usual 12 bits in a 16-bit file nearly black, and one dead pixel spoils minimum and maximum.

    Raises:
        DecodeError: a value is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise DecodeError("pixels that are no finite numbers")
    low, high = np.percentile(values if of is None else of, PERCENTILES)
    return stretch(values, float(low), float(high))
