"""Scores of images."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.images import Pictures
from tasks.networks import device, memory
from tasks.networks.folding import folded
from tasks.networks.prediction import JIT, batch_size, outputs
from tasks.networks.test_time import looks


def score(model: keras.Model, images: Pictures) -> NDArray[np.float32]:
    """Scores `(N, K)` of prepared images `(N, H, W, C)` in [0, 255]; the same images give the
    same scores, whatever stands beside them.

    Raises:
        NoMemoryError: the device has too little memory.
        TrainingError: the network's weights are not finite.
    """
    scores = np.zeros((len(images), model.output_shape[-1]), np.float32)
    network = folded(model)
    network.jit_compile = JIT
    forward = device.backend.forward(network)
    size = max(1, batch_size(*model.input_shape[1:3]) // looks(model))
    take, what = images.__getitem__, "Scoring batches"
    with memory.fitting():
        for rows, (found,) in outputs(forward, len(images), size, take, what):
            scores[rows] = np.asarray(found)
    return scores
