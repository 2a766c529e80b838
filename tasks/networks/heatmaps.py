"""Heatmaps: what all ways of explaining a score share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.networks import memory
from tasks.networks.prediction import batch_size, outputs

Heatmaps = NDArray[np.float32]


class Explainer(Protocol):
    """Says where in images the evidence for an output lies."""

    def __call__(self, images: NDArray[np.uint8], output: int, absent: bool) -> Heatmaps:
        """Heatmaps `(N, h, w)` in [0, 1], row 0 at the top; each has 1 as its largest value, or is
        0 everywhere where there is no evidence.

        Args:
            images: `(N, H, W, C)` in [0, 255].
            output: to explain; in a binary task 0, the positive class.
            absent: explain that the class is absent: what lowers its score, in a binary task the
                evidence for the negative class.
        """


def of_each(
    explain: Explainer, images: NDArray[np.uint8], sought: Sequence[tuple[int, bool]]
) -> Heatmaps:
    """One heatmap of each image, of the output and the direction that `sought` says of it."""
    found: dict[int, Heatmaps] = {}
    for output, absent in dict.fromkeys(sought):
        places = [k for k, other in enumerate(sought) if other == (output, absent)]
        found |= zip(places, explain(images[places], output, absent), strict=True)
    return np.stack([found[k] for k in range(len(sought))])


def in_batches(
    forward: Callable[[Any], Any], images: NDArray[np.uint8], weigh: Callable[[Any], Any]
) -> Heatmaps:
    """What `weigh` makes of what the first part of a network computes of images, as
    `backend.forward` does, a batch at a time.

    Raises:
        NoMemoryError: the device has too little memory.
    """
    size = batch_size(*images.shape[1:3])
    found = outputs(forward, len(images), size, images.__getitem__, "Explaining batches")
    with memory.fitting():
        return np.concatenate([np.asarray(weigh(maps), np.float32) for _, (maps,) in found])


def scaled(evidence: Heatmaps) -> Heatmaps:
    """Evidence `(N, h, w)` without what speaks against, each scaled to its largest value."""
    positive = np.maximum(evidence, 0)
    largest = positive.max(axis=(1, 2), keepdims=True)
    return np.asarray(positive / np.where(largest > 0, largest, 1), np.float32)
