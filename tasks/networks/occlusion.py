"""Occlusion: how much a score loses where a part of the image is covered (Zeiler & Fergus 2014,
arXiv 1311.2901, section 4.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.common.progress import progress
from tasks.networks.heatmaps import Heatmaps, scaled

CELLS = 14  # per side of the image; a patch is centred on each
PATCH = 3  # cells per side
LEAST = 1e-6  # a score nearer to 0 or 1 counts as this near, for its logit is to be finite

Score = Callable[[NDArray[np.uint8]], NDArray[np.floating[Any]]]


class Occlusion:
    """Explains whatever gives scores `(N, K)` of images `(N, H, W, C)`; an `Explainer`.

    What is covered becomes the image's own mean grey, and the loss is that of the logit.
    """

    def __init__(self, score: Score) -> None:
        self._score = score

    def __call__(self, images: NDArray[np.uint8], output: int, absent: bool) -> Heatmaps:
        """`(N, CELLS, CELLS)`, for as many scores of each image as there are cells."""
        whole = self._logits(images, output)
        heat = np.zeros((len(images), CELLS, CELLS), np.float32)
        for k in progress(range(len(images)), "Covering parts of images"):
            covered = self._logits(_covered(images[k]), output).reshape(CELLS, CELLS)
            heat[k] = (whole[k] - covered) * (-1 if absent else 1)
        return scaled(heat)

    def _logits(self, images: NDArray[np.uint8], output: int) -> NDArray[np.floating[Any]]:
        scores = np.clip(self._score(images)[:, output].astype(float), LEAST, 1 - LEAST)
        return np.asarray(np.log(scores / (1 - scores)))


def _covered(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image once for each cell, row by row, with the patch on it."""
    height, width = image.shape[:2]
    grey = image.mean(axis=(0, 1)).round().astype(np.uint8)
    covered = np.repeat(image[None], CELLS * CELLS, axis=0)
    for k, (row, column) in enumerate(np.ndindex(CELLS, CELLS)):
        covered[k, _patch(row, height), _patch(column, width)] = grey
    return covered


def _patch(cell: int, pixels: int) -> slice:
    """The pixels of one side that the patch on a cell covers."""
    first = max(cell - PATCH // 2, 0)
    last = min(cell + PATCH // 2 + 1, CELLS)
    return slice(first * pixels // CELLS, last * pixels // CELLS)
