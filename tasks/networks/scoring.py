"""Scores of images."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common.progress import progress
from tasks.imaging.images import Pictures
from tasks.networks.prediction import BATCH_SIZE, JIT, predict, slices


def score(
    model: keras.Model, images: Pictures, batch_size: int = BATCH_SIZE
) -> NDArray[np.float32]:
    """Scores `(N, K)` of prepared images `(N, H, W, C)` in [0, 255]; the same images give the
    same scores, whatever stands beside them.
    """
    model.jit_compile = JIT
    scores = np.zeros((len(images), model.output_shape[-1]), np.float32)
    for rows in progress(slices(len(images), batch_size), "Scoring batches"):
        (scores[rows],) = predict(model, [images[rows]], batch_size)
    return scores
