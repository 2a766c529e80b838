"""Pixels of one size: INTER_AREA averages what shrinks, INTER_CUBIC interpolates what grows."""

from __future__ import annotations

import cv2
import numpy as np

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
