"""Pairs of pictures that may be alike: their hashes are near, and so are summaries of their detail.

Most pairs of near hashes are told apart by the summaries alone: vectors of norm 1 that correlate by
c are sqrt(2 - 2c) apart, and their projections no further.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from blake3 import blake3
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels
from tasks.imaging.resizing import without_bars
from tasks.splitting.resemblance import SIDE, Vectors, detail

DISTANCE = 6  # differing bits of 64 up to which a pair is looked at
# Copies, down to JPEG quality 20 or a quarter of the size, reach 0.96 and more; different people
# stay below 0.75 on chest X-rays of 224 pixels, 0.86 on those of 28, 0.91 on the drawn phantom.
SIMILARITY = 0.94
FLAT = 2.0  # standard deviation, of 255, below which a picture has nothing but its very pixels
COARSE = 16  # pixels per side of a detail's summary
ROUNDING = 1e-5  # of squared distances
ROWS, COLUMNS = 128, 4096  # of hashes compared at a time: they stay in the processor's cache
AT_ONCE = 256  # pictures whose detail is in memory
WAITING = 1_000_000  # pairs that are given out together: they share their pictures

Positions = NDArray[np.int64]
Truths = NDArray[np.bool_]


class Pictures:
    """Pictures by their positions, and what is compared of them.

    Attributes:
        whose: `(2, N)`, numbers of their groups and labels.
        content: the position of the first picture that has the same pixels.
        flat: whether nothing but their pixels is compared.
        seen: whether earlier versions compared them; of candidates.
    """

    def __init__(self, images: pd.DataFrame, pixels: Pixels, fit: str) -> None:
        """As in `duplicates.find`, `images` in the order of their positions."""
        self._pixels, self._rows, self._fit = pixels, images["row"].to_numpy(np.int64), fit
        self._shapes = images[["height", "width"]].to_numpy(np.int64)
        self.hashes = np.array([int(text, 16) for text in images["phash"]], np.uint64)
        self.whose = np.stack([pd.factorize(images[column])[0] for column in ("group", "label")])
        self.content = self._contents(images)
        self.flat = (images["std"] < FLAT).to_numpy()
        self.seen = ~self.flat
        self._summaries = np.zeros((len(images), COARSE * COARSE), np.float32)
        self._missing = np.ones(len(images), bool)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Positions) -> list[Pixels]:
        """Without their bars, each `(h, w, C)`."""
        return [
            without_bars(self._pixels[row], shape, self._fit)
            for row, shape in zip(self._rows[at], self._shapes[at], strict=True)
        ]

    def distance(self, first: Positions, second: Positions) -> Positions:
        """Differing bits of the hashes."""
        bits: Positions = np.bitwise_count(self.hashes[first] ^ self.hashes[second])
        return bits.astype(np.int64)

    def summaries(self, at: Positions) -> Vectors:
        """`(N, COARSE * COARSE)`: an orthogonal projection of the detail, so no two pictures are
        further apart in it than they are in detail.
        """
        step = SIDE // COARSE
        for part in parts(at[self._missing[at]], AT_ONCE):
            vectors, lacked = detail(self[part])
            blocks = vectors.reshape(-1, COARSE, step, COARSE, step)
            self._summaries[part] = blocks.sum((2, 4)).reshape(len(part), -1) / step
            self.seen[part] &= ~lacked
            self._missing[part] = False
        return self._summaries[at]

    def _contents(self, images: pd.DataFrame) -> Positions:
        told = images.duplicated(["phash", "mean", "std", "min", "max"], keep=False)
        found, first = np.arange(len(images)), dict[bytes, int]()
        for at in np.flatnonzero(told).tolist():
            digest = blake3(self._pixels[self._rows[at]].tobytes()).digest()
            found[at] = first.setdefault(digest, at)
        return found


def find(pictures: Pictures) -> Iterator[tuple[Positions, Positions]]:
    """Positions of pictures that may be alike, the lower first; none of one group under one label,
    and of flat ones none but equals.
    """
    held, waiting = [], 0
    for first, second in _near(pictures):
        kept = (pictures.whose[:, first] != pictures.whose[:, second]).any(0)
        kept &= ~(pictures.flat[first] | pictures.flat[second]) | (
            pictures.content[first] == pictures.content[second]
        )
        held.append(np.stack([first, second])[:, kept])
        waiting += held[-1].shape[1]
        if waiting >= WAITING:
            yield tuple(np.concatenate(held, axis=1))
            held, waiting = [], 0
    if waiting:
        yield tuple(np.concatenate(held, axis=1))


def _near(pictures: Pictures) -> Iterator[tuple[Positions, Positions]]:
    """Positions of pictures whose hashes and summaries are near, the lower first. In the order of
    their hashes most near ones lie close together, and most blocks hold none.
    """
    order = np.argsort(pictures.hashes, kind="stable")
    hashes = pictures.hashes[order]
    for top in range(0, len(order), ROWS):
        for left in range(top, len(order), COLUMNS):
            apart = np.bitwise_count(hashes[top : top + ROWS, None] ^ hashes[left : left + COLUMNS])
            near = apart <= DISTANCE
            if left == top:
                near = np.triu(near, 1)
            rows, columns = near.any(1), near.any(0)
            if rows.any():
                a, b = order[top : top + ROWS][rows], order[left : left + COLUMNS][columns]
                near = near[rows][:, columns] & _alike(pictures.summaries(a), pictures.summaries(b))
                row, column = np.nonzero(near)
                yield np.minimum(a[row], b[column]), np.maximum(a[row], b[column])


def _alike(a: Vectors, b: Vectors) -> Truths:
    """Which of `a` and which of `b` may be summaries of pictures that are alike."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    alike: Truths = squares <= 2 - 2 * SIMILARITY + ROUNDING
    return alike


def parts(at: Positions, size: int) -> Iterator[Positions]:
    """`size` of them at a time."""
    for start in range(0, len(at), size):
        yield at[start : start + size]
