"""Grad-CAM: where in the image the evidence for an output lies (Selvaraju et al. 2017,
arXiv 1610.02391).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tasks.networks import device
from tasks.networks.architecture import LOGITS
from tasks.networks.layers import last_conv_layer
from tasks.networks.prediction import BATCH_SIZE, slices


def heatmaps(
    model: keras.Model, images: NDArray[np.uint8], class_index: int, absent: bool = False
) -> NDArray[np.float32]:
    """Heatmaps `(N, h, w)` in [0, 1], at the resolution of the last convolutional layer.

    The gradient is that of the logit, which does not vanish where the score is near 0 or 1. A map's
    largest value is 1; a map without any evidence for the output is 0 everywhere.

    Args:
        model: made by `build`.
        images: `(N, H, W, C)` in [0, 255].
        class_index: the output to explain; in a binary task 0, the positive class.
        absent: explain that the class is absent: what lowers its logit (the counterfactual of
            section 3.2 of the paper, and in a binary task the evidence for the negative class).
    """
    maps = model.get_layer(last_conv_layer(model)).output
    before = keras.Model(model.input, maps)
    after = keras.Model(maps, model.get_layer(LOGITS).output)
    found = np.zeros((len(images), *maps.shape[1:3]), np.float32)
    for rows in slices(len(images), BATCH_SIZE):
        pixels = images[rows].astype(np.float32)
        found[rows] = _heatmaps(before(pixels, training=False), after, class_index, absent)
    return found


def _heatmaps(maps: Any, after: keras.Model, class_index: int, absent: bool) -> NDArray[np.float32]:
    def logit(maps: Any) -> Any:
        return after(maps, training=False)[:, class_index] * (-1 if absent else 1)

    gradient = device.backend.gradient(logit, maps)
    importance = ops.mean(gradient, axis=(1, 2), keepdims=True)
    evidence = ops.relu(ops.sum(importance * maps, axis=-1))
    largest = ops.max(evidence, axis=(1, 2), keepdims=True)
    return np.asarray(ops.divide_no_nan(evidence, largest), np.float32)
