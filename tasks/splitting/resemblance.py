"""How like two pictures are: their detail, which tells people apart, and the whole of each.

Both are vectors of norm 1, so that a product of two is their correlation. A picture's own do not
depend on the others that are looked at with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels

SIDE = 64  # pixels of the picture of which the detail is taken
BACKGROUND, NEIGHBOURHOOD = 11, 21  # of those pixels: what is no detail, what it is scaled by
NOISE = 4.0  # of 255: detail weaker than this is not raised to the strength of the rest
WHOLE = 32  # pixels of the picture that is compared as a whole

Vectors = NDArray[np.float32]


class Detail(NamedTuple):
    """What tells pictures from others of the same kind.

    Attributes:
        vectors: `(N, SIDE * SIDE)`; zeros where a picture has no detail.
        lacked: `(N,)`, whether earlier versions had NaN for it, and so compared the picture with
            nothing: a moving sum leaves energies a rounding below zero where surroundings are flat.
    """

    vectors: Vectors
    lacked: NDArray[np.bool_]


def detail(pictures: Sequence[Pixels]) -> Detail:
    """The detail of N pictures `(h, w, C)`: what is finer than the background, weighted so that a
    bright edge does not outweigh all the rest.
    """
    small = _small(pictures, SIDE)
    fine = small - _blurred(small, BACKGROUND)
    energy = _blurred(fine * fine, NEIGHBOURHOOD)
    strength: Vectors = np.sqrt(np.maximum(energy, 0))
    lacked: NDArray[np.bool_] = energy.min(axis=(1, 2)) < 0
    return Detail(_of_norm_1(fine / (strength + NOISE)), lacked)


def whole(pictures: Sequence[Pixels]) -> Vectors:
    """The pictures `(h, w, C)` themselves, `(N, WHOLE * WHOLE)`, whatever their brightness and
    contrast.
    """
    return _of_norm_1(_small(pictures, WHOLE))


def _small(pictures: Sequence[Pixels], side: int) -> Vectors:
    grey = map(_grey, pictures)
    small = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in grey]
    return np.stack(small).astype(np.float32)


def _grey(picture: Pixels) -> Pixels:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.shape[-1] == 3 else picture[..., 0]


def _blurred(pictures: Vectors, side: int) -> Vectors:
    return np.stack([cv2.blur(picture, (side, side)) for picture in pictures])


def _of_norm_1(pictures: Vectors) -> Vectors:
    values = pictures.reshape(len(pictures), -1)
    even = values - values.mean(axis=1, keepdims=True)
    norms = np.array([np.linalg.norm(vector) for vector in even])
    found: Vectors = even / np.maximum(norms, 1e-6)[:, None]
    return found
