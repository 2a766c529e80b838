"""Whether a file answers on this machine as it did where it was made.

int8 is exact on processors with instructions for dot products of 8-bit integers. Others add in 16
bits, which overflow, and give other answers without a word: so the answers to a few made pictures
are stored with the file and compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.serving.session import Session

COUNT = 4
RELATIVE, ABSOLUTE = 0.02, 0.05  # of a logit: what rounding may move; an overflow moves far more


def images(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Stripes `(4, H, W, C)` of every brightness, in four directions and widths."""
    k, y, x, c = np.ogrid[:COUNT, :height, :width, :channels]
    pattern = (y * (5 * k + 1) + x * (7 * (COUNT - k)) + 31 * c) % 256
    return np.asarray(pattern, np.uint8)


def agrees(session: Session, pixels: NDArray[np.uint8], expected: Sequence[float]) -> bool:
    """Whether the answers to the pictures are those stored, but for rounding."""
    found = session.fingerprint(pixels)
    return np.allclose(found, expected, rtol=RELATIVE, atol=ABSOLUTE)
