"""What the tables say about prepared images.

But for the digest it is said of the picture, without the bars around it: those would make pictures
of one shape alike, and give contrast to what has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from blake3 import blake3

from tasks.imaging.levels import Numbers, Pixels

HASHED = 32  # pixels per side that a perceptual hash looks at
LOWEST = 8  # frequencies per side


def describe(pixels: Pixels, pictures: Iterable[Pixels]) -> dict[str, list[Any]]:
    """Of each of N images `(N, H, W, C)`, one or more: mean, standard deviation, minimum and
    maximum of its picture, the BLAKE3 of its pixels (`digest`; a third of sha256's time), and the
    picture's perceptual hash (`phash`).

    Args:
        pixels: the images.
        pictures: of each the part that its picture fills, `(h, w, C)`.
    """
    pictures = list(pictures)
    rows = [np.ascontiguousarray(picture).reshape(1, -1) for picture in pictures]
    means, deviations = zip(*map(cv2.meanStdDev, rows), strict=True)
    return {
        "mean": [float(mean[0, 0]) for mean in means],
        "std": [float(deviation[0, 0]) for deviation in deviations],
        "min": [float(row.min()) for row in rows],
        "max": [float(row.max()) for row in rows],
        "digest": [blake3(np.ascontiguousarray(image).data).hexdigest() for image in pixels],
        "phash": perceptual_hashes(pictures),
    }


def perceptual_hashes(pictures: Iterable[Pixels]) -> list[str]:
    """Of each picture `(h, w, C)`, one or more: 64 bits, hexadecimal, that stay much the same when
    it is scaled, coded anew or made brighter: which of the 8 x 8 lowest frequencies exceed their
    median (Zauner 2010, "pHash").
    """
    size = (HASHED, HASHED)
    small = [cv2.resize(_grey(image), size, interpolation=cv2.INTER_AREA) for image in pictures]
    across = _lowest(np.stack(small).astype(np.float32))
    both = _lowest(across.transpose(0, 2, 1)).transpose(0, 2, 1).reshape(-1, LOWEST**2)
    ordered = np.sort(both, axis=1)
    middle = LOWEST**2 // 2
    medians = (ordered[:, middle - 1] + ordered[:, middle]) / 2
    bits = np.packbits(both > medians[:, None], axis=1)
    return [image.tobytes().hex() for image in bits]


def _grey(image: Pixels) -> Pixels:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[-1] == 3 else image[..., 0]


def _lowest(values: Numbers) -> Numbers:
    """The lowest frequencies of each row of `(N, R, HASHED)`; a row's do not depend on others."""
    rows = np.ascontiguousarray(values).reshape(-1, HASHED)
    frequencies: Numbers = cv2.dct(rows, flags=cv2.DCT_ROWS).reshape(values.shape)
    return frequencies[..., :LOWEST]
