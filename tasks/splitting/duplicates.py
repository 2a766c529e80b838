"""Images that are the same picture: found by their perceptual hashes, confirmed on their pixels.

Found are copies coded anew, scaled, brightened, stretched in contrast or with some noise; not
copies that were cropped, turned or mirrored. Limits were chosen on chest X-rays, where the
low-frequency hash of two people is often the same while the detail is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import digests
from tasks.imaging.levels import Pixels

DISTANCE = 6  # differing bits of 64 up to which a pair is looked at
# Copies, down to JPEG quality 20 or a quarter of the size, reach 0.96 and more; different people
# stay below 0.75 on chest X-rays of 224 pixels, 0.86 on those of 28, 0.91 on the drawn phantom.
SIMILARITY = 0.94
FLAT = 2.0  # standard deviation, of 255, below which a picture shows nothing to compare
SIDE = 64  # pixels of the picture of which the detail is taken
BACKGROUND, NEIGHBOURHOOD = 11, 21  # of those pixels: what is no detail, what it is scaled by
NOISE = 4.0  # of 255: detail weaker than this is not raised to the strength of the rest
COARSE = 16  # a detail's own summary, to reject most pairs at once
ROWS, COLUMNS = 128, 4096  # of hashes compared at a time: they stay in the processor's cache
AT_ONCE = 1024  # pairs whose detail is held in memory

Detail = NDArray[np.float32]


class Likeness(NamedTuple):
    """Which pictures are alike.

    Attributes:
        pairs: as `find` gives them.
        same: as `same_pixels` gives them.
    """

    pairs: pd.DataFrame
    same: pd.Series[str]


def compare(images: pd.DataFrame, pixels: Pixels) -> Likeness:
    """Compare the usable images of a table; its columns are those of both and `status`."""
    usable = images[images["status"] == "ok"]
    return Likeness(find(usable, pixels), same_pixels(usable, pixels))


def find(images: pd.DataFrame, pixels: Pixels) -> pd.DataFrame:
    """All pairs of like pictures in different groups, the older first.

    Every hash is compared with every other: no bound on how many images may share one is needed,
    as it would be with an index, and 60,000 take some seconds.

    Args:
        images: `image_id`, `batch`, `group`, `phash`, `std` and `row` of usable images.
        pixels: the pack `(N, H, W, C)` uint8.

    Returns:
        `first`, `second` (labels of the index of `images`), `distance` in bits and `similarity`
        of detail, in the order in which the pairs came into being.
    """
    ordered = images[images["std"] >= FLAT].sort_values(["batch", "image_id"])
    hashes = _codes(ordered["phash"])
    found = list(_pairs(hashes, ordered["group"].to_numpy(object), _Pictures(ordered, pixels)))
    first, second, similarity = map(np.concatenate, zip(*found, strict=True)) if found else [()] * 3
    newer_first = np.lexsort([first, second])
    first, second = (np.asarray(at, np.int64)[newer_first] for at in (first, second))
    return pd.DataFrame(
        {
            "first": ordered.index.to_numpy()[first],
            "second": ordered.index.to_numpy()[second],
            "distance": np.bitwise_count(hashes[first] ^ hashes[second]).astype(np.int64),
            "similarity": np.asarray(similarity, np.float64)[newer_first],
        }
    )


def same_pixels(images: pd.DataFrame, pixels: Pixels) -> pd.Series[str]:
    """A digest of the pixels of every image that shares its pixels with another; missing for the
    rest, and for pictures that show nothing.

    Args:
        images: `phash`, `mean`, `std`, `min`, `max` and `row` of usable images.
        pixels: the pack.
    """
    told = ["phash", "mean", "std", "min", "max"]  # the same where the pixels are
    like = images[images.duplicated(told, keep=False) & (images["std"] >= FLAT)]
    found = pd.Series(
        [digests.of_bytes(pixels[row].tobytes()) for row in like["row"]],
        index=like.index,
        dtype="str",
    )
    return found[found.duplicated(keep=False)].reindex(images.index)


def detail(picture: Pixels) -> Detail:
    """What tells a picture `(H, W, C)` from one of the same kind, `(SIDE * SIDE)` of norm 1: what
    is finer than the background, weighted so that a bright edge does not outweigh all the rest.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.shape[-1] == 3 else picture[..., 0]
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = small - cv2.blur(small, (BACKGROUND, BACKGROUND))
    strength = np.sqrt(cv2.blur(fine * fine, (NEIGHBOURHOOD, NEIGHBOURHOOD)))
    even = fine / (strength + NOISE)
    even -= even.mean()
    weighted: Detail = (even / max(float(np.linalg.norm(even)), 1e-6)).ravel()
    return weighted


class _Pictures:
    """The detail of pictures, and its summary, made when they are first asked for."""

    def __init__(self, images: pd.DataFrame, pixels: Pixels) -> None:
        self._pixels, self._rows = pixels, images["row"].to_numpy(np.int64)
        self._summaries = np.zeros((len(images), COARSE * COARSE), np.float32)
        self._missing = np.ones(len(images), bool)

    def details(self, at: NDArray[np.int64]) -> Detail:
        """`(N, SIDE * SIDE)`."""
        return np.stack([detail(self._pixels[row]) for row in self._rows[at]])

    def summaries(self, at: NDArray[np.int64]) -> Detail:
        """`(N, COARSE * COARSE)`: an orthogonal projection of the detail, so no two pictures are
        further apart in it than they are in detail.
        """
        for part in _parts(at[self._missing[at]]):
            step = SIDE // COARSE
            blocks = self.details(part).reshape(-1, COARSE, step, COARSE, step)
            self._summaries[part] = blocks.sum((2, 4)).reshape(len(part), -1) / step
            self._missing[part] = False
        return self._summaries[at]


def _pairs(
    hashes: NDArray[np.uint64], groups: NDArray[np.object_], pictures: _Pictures
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Positions of like pictures, the lower first, and their similarity; not within a group."""
    group = pd.factorize(groups)[0]
    for top in range(0, len(hashes), ROWS):
        for left in range(top, len(hashes), COLUMNS):
            rows, columns = hashes[top : top + ROWS, None], hashes[left : left + COLUMNS]
            near = np.bitwise_count(rows ^ columns) <= DISTANCE
            if not near.any():
                continue
            row, column = np.nonzero(near)
            first, second = row + top, column + left
            apart = (first < second) & (group[first] != group[second])
            yield from _confirmed(first[apart], second[apart], pictures)


def _confirmed(
    first: NDArray[np.int64], second: NDArray[np.int64], pictures: _Pictures
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Those pairs whose detail is alike, told from most others by the summaries alone: vectors of
    norm 1 that correlate by c are sqrt(2 - 2c) apart, and their projections no further.
    """
    if not len(first):
        return
    (rows, row), (columns, column) = (np.unique(at, return_inverse=True) for at in (first, second))
    a, b = pictures.summaries(rows), pictures.summaries(columns)
    squares = (a * a).sum(1)[row] + (b * b).sum(1)[column] - 2 * (a @ b.T)[row, column]
    likely = squares <= 2 - 2 * SIMILARITY + 1e-5
    for part in _parts(np.flatnonzero(likely)):
        one, other = pictures.details(first[part]), pictures.details(second[part])
        similarity = np.einsum("ij,ij->i", one, other)
        alike = similarity >= SIMILARITY
        yield first[part][alike], second[part][alike], similarity[alike]


def _parts(at: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(at), AT_ONCE):
        yield at[start : start + AT_ONCE]


def _codes(phashes: pd.Series[str]) -> NDArray[np.uint64]:
    return np.array([int(text, 16) for text in phashes], np.uint64)
