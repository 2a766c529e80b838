"""How like two pictures are: their detail, which tells people apart, and the whole of each.

Both are vectors of norm 1, so that a product of two is their correlation.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels

SIDE = 64  # pixels of the picture of which the detail is taken
BACKGROUND, NEIGHBOURHOOD = 11, 21  # of those pixels: what is no detail, what it is scaled by
NOISE = 4.0  # of 255: detail weaker than this is not raised to the strength of the rest
WHOLE = 32  # pixels of the picture that is compared as a whole

Vector = NDArray[np.float32]


def detail(picture: Pixels) -> Vector:
    """What tells a picture `(H, W, C)` from one of the same kind, `(SIDE * SIDE)`: what is finer
    than the background, weighted so that a bright edge does not outweigh all the rest. Zeros where
    it has none.
    """
    fine, energy = _fine(picture)
    strength: Vector = np.sqrt(np.maximum(energy, 0))
    return _of_norm_1(fine / (strength + NOISE))


def whole(picture: Pixels) -> Vector:
    """The picture `(H, W, C)` itself, `(WHOLE * WHOLE)`, whatever its brightness and contrast."""
    return _of_norm_1(_small(picture, WHOLE))


def lacked_detail(picture: Pixels) -> bool:
    """Whether earlier versions had NaN for the detail, and so compared the picture with nothing:
    a moving sum leaves energies a rounding below zero where surroundings are flat.
    """
    return bool((_fine(picture)[1] < 0).any())


def _fine(picture: Pixels) -> tuple[Vector, Vector]:
    """What is finer than the background, `(SIDE, SIDE)`, and its energy around each pixel."""
    small = _small(picture, SIDE)
    fine = small - cv2.blur(small, (BACKGROUND, BACKGROUND))
    return fine, cv2.blur(fine * fine, (NEIGHBOURHOOD, NEIGHBOURHOOD))


def _small(picture: Pixels, side: int) -> Vector:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.shape[-1] == 3 else picture[..., 0]
    small: Vector = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small


def _of_norm_1(values: Vector) -> Vector:
    even = values - values.mean()
    found: Vector = (even / max(float(np.linalg.norm(even)), 1e-6)).ravel()
    return found
