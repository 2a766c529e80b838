"""Pixels of one size: INTER_AREA averages what shrinks, INTER_CUBIC interpolates what grows."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """`pixels` at `height` and `width`; the aspect ratio is not kept. Each axis shrinks or grows
    on its own.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    smaller = min(pixels.shape[1], width), min(pixels.shape[0], height)
    shrunk = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    grown = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(grown, np.uint8)


def enlarged(heatmap: NDArray[np.floating[Any]], height: int, width: int) -> NDArray[np.float32]:
    """A heatmap `(h, w)` over an image of `height` and `width`, without waves below 0."""
    wide = cv2.resize(heatmap.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.maximum(wide, 0), np.float32)
