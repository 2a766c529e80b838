"""Deletion and insertion: what a score loses without the places that a heatmap calls important, and
gains by them alone (Petsiuk et al. 2018, arXiv 1806.07421), beside a random heatmap of like grain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.resizing import enlarged
from tasks.networks.heatmaps import Heatmaps
from tasks.networks.occlusion import Score

SHARES = (1 / 16, 1 / 8, 1 / 4)  # of an image's pixels; findings are small beside an image
BLUR = 1 / 16  # of an image's longer side: the sigma past which a finding is none any more

Images = NDArray[np.uint8]
Values = NDArray[np.float64]


class Gains(NamedTuple):
    """How much better than at random, `(N,)` in [-1, 1]: how much more of the score is lost by
    deletion, and kept by insertion, on average over `SHARES`.
    """

    deletion: Values
    insertion: Values


def gains(
    score: Score,
    images: Images,
    heatmaps: Heatmaps,
    sought: Sequence[tuple[int, bool]],
    seed: int,
) -> Gains:
    """Hold heatmaps `(N, h, w)` of images `(N, H, W, C)` to the scores.

    Args:
        score: gives scores `(N, K)`.
        images: that are explained.
        heatmaps: of each, `(N, h, w)`.
        sought: the output that each explains, and whether that its class is absent.
        seed: of the random heatmaps, which have the values of the others in another order.
    """
    rng = np.random.default_rng(seed)
    others = np.stack([rng.permutation(each.ravel()).reshape(each.shape) for each in heatmaps])
    (kept, held), (kept_at_random, held_at_random) = (
        _confidence(score, images, maps, sought) for maps in (heatmaps, others)
    )
    return Gains(kept_at_random - kept, held - held_at_random)


def _confidence(
    score: Score, images: Images, heatmaps: Heatmaps, sought: Sequence[tuple[int, bool]]
) -> tuple[Values, Values]:
    """The mean confidence `(N,)` after deletion, and after insertion."""
    both = [_both(image, heat) for image, heat in zip(images, heatmaps, strict=True)]
    scores = score(np.concatenate(both)).astype(float)
    outputs = np.repeat([output for output, _ in sought], 2 * len(SHARES))
    absent = np.repeat([absent for _, absent in sought], 2 * len(SHARES))
    said = np.take_along_axis(scores, outputs[:, None], axis=1)[:, 0]
    said = np.where(absent, 1 - said, said).reshape(len(images), 2, len(SHARES))
    deleted, inserted = said.mean(axis=2).T
    return deleted, inserted


def _both(image: Images, heatmap: NDArray[np.float32]) -> Images:
    """The image with each share deleted, then with each share alone."""
    height, width = image.shape[:2]
    first = np.argsort(-enlarged(heatmap, height, width).ravel(), kind="stable")
    blurred = cv2.GaussianBlur(image, (0, 0), BLUR * max(height, width)).reshape(image.shape)
    grey = np.broadcast_to(image.mean(axis=(0, 1)).round().astype(np.uint8), image.shape)
    made = []
    for below, above in ((image, grey), (blurred, image)):
        for share in SHARES:
            picture: NDArray[Any] = below.reshape(-1, image.shape[2]).copy()
            chosen = first[: round(share * len(first))]
            picture[chosen] = above.reshape(picture.shape)[chosen]
            made.append(picture.reshape(image.shape))
    return np.stack(made)
