"""Images that are the same picture: found by their perceptual hashes, confirmed on their pixels.

Found are copies coded anew, scaled, brightened, stretched in contrast or with some noise; not
copies that were cropped, turned or mirrored. Limits were chosen on chest X-rays, where the
low-frequency hash of two people is often the same while the detail is not. Neighbouring slices of
one stack are found too (`benchmarks.slices` counts them); `same` tells them from one picture twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels
from tasks.splitting.resemblance import SIDE, Vector, detail, lacked_detail, whole

DISTANCE = 6  # differing bits of 64 up to which a pair is looked at
# Copies, down to JPEG quality 20 or a quarter of the size, reach 0.96 and more; different people
# stay below 0.75 on chest X-rays of 224 pixels, 0.86 on those of 28, 0.91 on the drawn phantom.
SIMILARITY = 0.94
# Of the pictures as a whole, over X-rays, CT and MR of the brain: 98 in 100 copies at JPEG quality
# 40 or of half the size reach it, of a quarter all X-rays but few CT; 1 in 100 slices 1 mm apart of
# the MNI152 template does, which is smoother than a patient.
SAME = 0.9992
FLAT = 2.0  # standard deviation, of 255, below which a picture has nothing but its very pixels
COARSE = 16  # a detail's own summary, to reject most pairs at once
ROWS, COLUMNS = 128, 4096  # of hashes compared at a time: they stay in the processor's cache
AT_ONCE = 1024  # pairs whose detail is held in memory

Positions = NDArray[np.int64]
Truths = NDArray[np.bool_]


def compare(images: pd.DataFrame, pixels: Pixels) -> pd.DataFrame:
    """As `find`, of the usable images of a table, which also has `status`."""
    return find(images[images["status"] == "ok"], pixels)


def find(images: pd.DataFrame, pixels: Pixels) -> pd.DataFrame:
    """All pairs of like pictures in different groups or under different labels, the older first.

    Every hash is compared with every other: no bound on how many images may share one is needed,
    as it would be with an index, and 60,000 take some seconds.

    Args:
        images: `image_id`, `batch`, `group`, `label`, `phash`, `mean`, `std`, `min`, `max` and
            `row` of usable images.
        pixels: the pack `(N, H, W, C)` uint8.

    Returns:
        In the order in which the pairs came into being: `first` and `second`, labels of the index
        of `images`; `distance` in bits; `similarity` of detail; whether their pixels are `equal`;
        whether they are the `same` picture, coded anew or scaled, rather than two like ones;
        whether they stand `between` two groups; and whether the pair comes `late`: earlier
        versions did not see it, and settled its groups apart.
    """
    ordered = images.sort_values(["batch", "image_id"])
    pictures = _Pictures(ordered, pixels)
    found = list(_pairs(pictures))
    first, second, similarity, equal = (
        np.concatenate([part[column] for part in found]) if found else np.zeros(0, kind)
        for column, kind in enumerate((np.int64, np.int64, np.float64, np.bool_))
    )
    newer_first = np.lexsort([first, second])
    first, second = first[newer_first], second[newer_first]
    similarity, equal = similarity[newer_first], equal[newer_first]
    seen = pictures.were_compared(np.union1d(first, second))
    return pd.DataFrame(
        {
            "first": ordered.index.to_numpy()[first],
            "second": ordered.index.to_numpy()[second],
            "distance": pictures.distance(first, second),
            "similarity": similarity.astype(np.float64),
            "equal": equal,
            "same": equal | (pictures.products(whole, first, second) >= SAME),
            "between": pictures.whose[0, first] != pictures.whose[0, second],
            "late": ~seen[first] | ~seen[second] | (similarity < SIMILARITY),
        }
    )


class _Pictures:
    """Pictures by their positions, and what is compared of them."""

    def __init__(self, images: pd.DataFrame, pixels: Pixels) -> None:
        self._pixels, self._rows = pixels, images["row"].to_numpy(np.int64)
        self.hashes = np.array([int(text, 16) for text in images["phash"]], np.uint64)
        self.whose = np.stack([pd.factorize(images[of])[0] for of in ("group", "label")])
        # The same where the pixels are: all that is compared of a picture without contrast.
        self.told = images.groupby(["phash", "mean", "std", "min", "max"]).ngroup().to_numpy()
        self.flat = (images["std"] < FLAT).to_numpy()
        self._summaries = np.zeros((len(images), COARSE * COARSE), np.float32)
        self._missing = np.ones(len(images), bool)

    def distance(self, first: Positions, second: Positions) -> Positions:
        """Differing bits of the hashes."""
        bits: Positions = np.bitwise_count(self.hashes[first] ^ self.hashes[second])
        return bits.astype(np.int64)

    def products(
        self, of: Callable[[Pixels], Vector], first: Positions, second: Positions
    ) -> NDArray[np.float32]:
        """Of each pair, the correlation of what `of` makes of both."""
        found = np.zeros(len(first), np.float32)
        for part in _parts(np.arange(len(first))):
            one, other = self._vectors(of, first[part]), self._vectors(of, second[part])
            found[part] = np.einsum("ij,ij->i", one, other)
        return found

    def equal(self, first: Positions, second: Positions) -> Truths:
        """Whether the pixels of each pair are equal."""
        found: Truths = self.told[first] == self.told[second]
        for at in np.flatnonzero(found):
            one, other = self._rows[first[at]], self._rows[second[at]]
            found[at] = np.array_equal(self._pixels[one], self._pixels[other])
        return found

    def were_compared(self, at: Positions) -> Truths:
        """`(N,)` of all pictures: whether earlier versions compared those that are asked for."""
        seen: Truths = ~self.flat
        lacked = [lacked_detail(self._pixels[row]) for row in self._rows[at]]
        seen[at] &= ~np.array(lacked, bool)
        return seen

    def summaries(self, at: Positions) -> Vector:
        """`(N, COARSE * COARSE)`: an orthogonal projection of the detail, so no two pictures are
        further apart in it than they are in detail.
        """
        for part in _parts(at[self._missing[at]]):
            step = SIDE // COARSE
            blocks = self._vectors(detail, part).reshape(-1, COARSE, step, COARSE, step)
            self._summaries[part] = blocks.sum((2, 4)).reshape(len(part), -1) / step
            self._missing[part] = False
        return self._summaries[at]

    def _vectors(self, of: Callable[[Pixels], Vector], at: Positions) -> Vector:
        return np.stack([of(self._pixels[row]) for row in self._rows[at]])


def _pairs(
    pictures: _Pictures,
) -> Iterator[tuple[Positions, Positions, NDArray[np.float32], Truths]]:
    """Positions of like pictures, the lower first, their similarity, and whether they are equal;
    none of one group under one label.
    """
    hashes, flat, told = pictures.hashes, pictures.flat, pictures.told
    for top in range(0, len(hashes), ROWS):
        for left in range(top, len(hashes), COLUMNS):
            rows, columns = hashes[top : top + ROWS, None], hashes[left : left + COLUMNS]
            near = np.bitwise_count(rows ^ columns) <= DISTANCE
            if not near.any():
                continue
            row, column = np.nonzero(near)
            first, second = row + top, column + left
            kept = (first < second) & (pictures.whose[:, first] != pictures.whose[:, second]).any(0)
            kept &= (told[first] == told[second]) | ~(flat[first] | flat[second])
            yield from _confirmed(first[kept], second[kept], pictures)


def _confirmed(
    first: Positions, second: Positions, pictures: _Pictures
) -> Iterator[tuple[Positions, Positions, NDArray[np.float32], Truths]]:
    """Those pairs that are alike in detail, or equal whatever their detail says. Most others are
    told by the summaries alone: vectors of norm 1 that correlate by c are sqrt(2 - 2c) apart, and
    their projections no further.
    """
    if not len(first):
        return
    (rows, row), (columns, column) = (np.unique(at, return_inverse=True) for at in (first, second))
    a, b = pictures.summaries(rows), pictures.summaries(columns)
    squares = (a * a).sum(1)[row] + (b * b).sum(1)[column] - 2 * (a @ b.T)[row, column]
    for part in _parts(np.flatnonzero(squares <= 2 - 2 * SIMILARITY + 1e-5)):
        one, other = first[part], second[part]
        similarity, equal = pictures.products(detail, one, other), pictures.equal(one, other)
        alike = equal | (~pictures.flat[one] & (similarity >= SIMILARITY))
        yield one[alike], other[alike], similarity[alike], equal[alike]


def _parts(at: Positions) -> Iterator[Positions]:
    for start in range(0, len(at), AT_ONCE):
        yield at[start : start + AT_ONCE]
