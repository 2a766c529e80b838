"""Pixels of one size: INTER_AREA averages what shrinks, INTER_CUBIC interpolates what grows.

What an image fills of that size is all of it, or what keeps its aspect ratio: then it stands in the
middle, between bars of black.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels


def filled(shape: Sequence[int], size: Sequence[int], fit: str) -> tuple[int, int]:
    """Height and width that an image of `shape` (height, width) gets within `size` by
    `preprocess.fit`: `stretch` or `pad`.
    """
    height, width = size
    if fit == "pad":
        scale = min(height / shape[0], width / shape[1])
        height = max(1, min(height, round(shape[0] * scale)))
        width = max(1, min(width, round(shape[1] * scale)))
    return height, width


def centred(pixels: Pixels, size: Sequence[int]) -> Pixels:
    """`pixels` in the middle of an image of `size` (height, width), black around them."""
    down, across = size[0] - pixels.shape[0], size[1] - pixels.shape[1]
    if not down and not across:
        return pixels
    top, left = down // 2, across // 2
    ends = top, down - top, left, across - left
    return np.asarray(cv2.copyMakeBorder(pixels, *ends, cv2.BORDER_CONSTANT, value=0), np.uint8)


def without_bars(pixels: Pixels, shape: Sequence[int], fit: str) -> Pixels:
    """The part of a prepared image that its picture, of `shape` (height, width), fills."""
    size = pixels.shape[:2]
    height, width = filled(shape, size, fit)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """`pixels` at `height` and `width`. Each axis shrinks or grows on its own."""
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
