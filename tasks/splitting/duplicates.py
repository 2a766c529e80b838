"""Images that are the same picture: found by their perceptual hashes, confirmed on their pixels.

Found are copies coded anew, scaled, brightened, stretched in contrast or with some noise; not
copies that were cropped, turned or mirrored. Limits were chosen on chest X-rays, where the
low-frequency hash of two people is often the same while the detail is not. Neighbouring slices of
one stack are found too (`benchmarks.slices` counts them); `same` tells them from one picture twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels
from tasks.splitting import candidates
from tasks.splitting.candidates import SIMILARITY, Pictures, Positions, Truths, parts
from tasks.splitting.resemblance import SIDE, WHOLE, Vectors, detail, whole

# Of the pictures as a whole, over X-rays, CT and MR of the brain: 98 in 100 copies at JPEG quality
# 40 or of half the size reach it, of a quarter all X-rays but few CT; 1 in 100 slices 1 mm apart of
# the MNI152 template does, which is smoother than a patient.
SAME = 0.9992
AT_ONCE = 128  # pairs whose vectors are multiplied at a time: they stay in the processor's cache
HELD = 8192  # pictures whose vectors are in memory, 20 kB each

Products = NDArray[np.float32]


def compare(images: pd.DataFrame, pixels: Pixels, fit: str) -> pd.DataFrame:
    """As `find`, of the usable images of a table, which also has `status`."""
    return find(images[images["status"] == "ok"], pixels, fit)


def find(images: pd.DataFrame, pixels: Pixels, fit: str) -> pd.DataFrame:
    """All pairs of like pictures in different groups or under different labels, the older first.

    Every hash is compared with every other: no bound on how many images may share one is needed,
    as it would be with an index, and 60,000 take some seconds.

    Args:
        images: `image_id`, `batch`, `group`, `label`, `phash`, `mean`, `std`, `min`, `max`,
            `height`, `width` and `row` of usable images.
        pixels: the pack `(N, H, W, C)` uint8.
        fit: how it was made, `preprocess.fit`.

    Returns:
        In the order in which the pairs came into being: `first` and `second`, labels of the index
        of `images`; `distance` in bits; `similarity` of detail; whether their pixels are `equal`;
        whether they are the `same` picture, coded anew or scaled, rather than two like ones;
        whether they stand `between` two groups; and whether the pair comes `late`: earlier
        versions did not see it, and settled its groups apart.
    """
    ordered = images.sort_values(["batch", "image_id"])
    pictures = Pictures(ordered, pixels, fit)
    first, second, similarity, same = _confirmed(pictures)
    return pd.DataFrame(
        {
            "first": ordered.index.to_numpy()[first],
            "second": ordered.index.to_numpy()[second],
            "distance": pictures.distance(first, second),
            "similarity": similarity.astype(np.float64),
            "equal": pictures.content[first] == pictures.content[second],
            "same": same,
            "between": pictures.whose[0, first] != pictures.whose[0, second],
            "late": ~(pictures.seen[first] & pictures.seen[second]) | (similarity < SIMILARITY),
        }
    )


class _Pairs(NamedTuple):
    """Like pictures by their positions, the lower first, in the order of the higher."""

    first: Positions
    second: Positions
    similarity: Products
    same: Truths


class _Products:
    """Correlations of what `make` makes of pictures, `(N, size)`; the last of those are held."""

    def __init__(
        self, pictures: Pictures, make: Callable[[list[Pixels]], Vectors], size: int
    ) -> None:
        self._pictures, self._make = pictures, make
        self._vectors = np.zeros((min(HELD, len(pictures)), size), np.float32)
        self._places = np.full(len(pictures), -1)
        self._used = 0

    def of(self, first: Positions, second: Positions) -> Products:
        """Of each pair; quicker where pairs of the same pictures stand together."""
        found = np.zeros(len(first), np.float32)
        for part in parts(np.arange(len(first)), AT_ONCE):
            self._hold(np.union1d(first[part], second[part]))
            one, other = (self._vectors[self._places[end[part]]] for end in (first, second))
            found[part] = np.einsum("ij,ij->i", one, other)
        return found

    def _hold(self, at: Positions) -> None:
        missing = at[self._places[at] < 0]
        if self._used + len(missing) > len(self._vectors):
            self._places[:], self._used, missing = -1, 0, at
        if len(missing):
            places = np.arange(self._used, self._used + len(missing))
            self._vectors[places] = self._make(self._pictures[missing])
            self._places[missing], self._used = places, self._used + len(missing)


def _confirmed(pictures: Pictures) -> _Pairs:
    """Those candidates that are alike in detail, or equal whatever their detail says."""
    likenesses = _Products(pictures, lambda rows: detail(rows).vectors, SIDE * SIDE)
    wholes = _Products(pictures, whole, WHOLE * WHOLE)
    found = [_Pairs(*(np.zeros(0, kind) for kind in ("int64", "int64", "float32", "bool")))]
    for first, second in candidates.find(pictures):
        one, other, which = _distinct(pictures, first, second)
        similarity, equal = likenesses.of(one, other), one == other
        alike = (equal | (similarity >= SIMILARITY))[which]
        same = equal | (wholes.of(one, other) >= SAME)
        found.append(
            _Pairs(first[alike], second[alike], similarity[which][alike], same[which][alike])
        )
    first, second, similarity, same = map(np.concatenate, zip(*found, strict=True))
    order = np.lexsort([first, second])
    return _Pairs(first[order], second[order], similarity[order], same[order])


def _distinct(
    pictures: Pictures, first: Positions, second: Positions
) -> tuple[Positions, Positions, Positions]:
    """The pairs without repetition where pictures have the same pixels, in an order in which pairs
    of the same pictures stand together; and which of them each pair is.
    """
    contents = np.sort(pictures.content[np.stack([first, second])], axis=0)
    numbers, which = np.unique(contents[0] * len(pictures) + contents[1], return_inverse=True)
    one, other = np.divmod(numbers, len(pictures))
    order = np.argsort(_linked(one, other, len(pictures))[one], kind="stable")
    return one[order], other[order], np.argsort(order)[which]


def _linked(first: Positions, second: Positions, count: int) -> Positions:
    """Of each of `count` pictures the lowest of all that pairs link it with."""
    lowest = np.arange(count)
    while True:
        lower = np.minimum(lowest[first], lowest[second])
        found = lowest.copy()
        for ends in (first, second):
            np.minimum.at(found, ends, lower)
        found = found[found]
        if np.array_equal(found, lowest):
            return lowest
        lowest = found
