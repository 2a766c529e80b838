"""CAM: the last features, weighed as the head weighs them (Zhou et al. 2016, arXiv 1512.04150)."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.networks import device
from tasks.networks.architecture import LOGITS, POOLED
from tasks.networks.heatmaps import Heatmaps, in_batches, scaled
from tasks.networks.prediction import JIT


class Cam:
    """Explains a network made by `build`, whose head is one layer on pooled features; an
    `Explainer`.
    """

    def __init__(self, model: keras.Model) -> None:
        features = keras.Model(model.input, model.get_layer(POOLED).input)
        features.jit_compile = JIT
        self._forward = device.backend.forward(features)
        self._head = model.get_layer(LOGITS)

    def __call__(self, images: NDArray[np.uint8], output: int, absent: bool) -> Heatmaps:
        """At the resolution of the features that are pooled."""
        weights = np.asarray(self._head.kernel)[:, output] * (-1 if absent else 1)
        return scaled(in_batches(self._forward, images, lambda m: np.asarray(m) @ weights))
