"""Prepared images made worse, as another scanner, another dose or another archive might: noise,
less contrast, JPEG compression (the forms of Hendrycks & Dietterich 2019, ICLR; milder).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from tasks.imaging.images import Pictures
from tasks.imaging.levels import Pixels

SEED = 31
Change = Callable[[Pixels], Pixels]


def noise(pixels: Pixels, deviation: float) -> Pixels:
    """Gaussian noise of a standard deviation in grey levels of 255, drawn anew for each image and
    channel; the same image gets the same, whatever stands beside it.
    """
    generator = np.random.default_rng([SEED, zlib.crc32(pixels.tobytes())])
    return _levels(pixels + generator.normal(0, deviation, pixels.shape))


def contrast(pixels: Pixels, share: float) -> Pixels:
    """That share of each pixel's distance from the mean of its channel."""
    mean = pixels.mean(axis=(0, 1))
    return _levels(mean + share * (pixels - mean))


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Coded as JPEG of a quality of 1 to 100, and decoded."""
    colored = pixels.shape[2] == 3
    image = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if colored else pixels
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    back = np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED))
    return np.asarray(cv2.cvtColor(back, cv2.COLOR_BGR2RGB) if colored else back[..., None])


def _levels(values: Any) -> Pixels:
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


# By kind and strength as a person reads them, the mildest first.
CHANGES: Mapping[tuple[str, str], Change] = {
    **{("noise", str(x)): partial(noise, deviation=x) for x in (5, 10, 20)},
    **{("contrast", str(x)): partial(contrast, share=x) for x in (0.8, 0.6, 0.4)},
    **{("jpeg", str(x)): partial(jpeg, quality=x) for x in (80, 50, 20)},
}


class Perturbed:
    """Images after every one of some changes, made when they are asked for: all of them after the
    first, then all after the second.
    """

    def __init__(self, images: Pictures, changes: Sequence[Change]) -> None:
        """`images` are N prepared ones, `(H, W, C)` uint8 each."""
        self._images, self._changes = images, changes

    def __len__(self) -> int:
        return len(self._images) * len(self._changes)

    def __getitem__(self, which: Any) -> Pixels:
        """`(n, H, W, C)`: those of a slice or of an array of positions."""
        change, place = np.divmod(np.arange(len(self))[which], len(self._images))
        pairs = zip(change, self._images[place], strict=True)
        return np.stack([self._changes[k](pixels) for k, pixels in pairs])
