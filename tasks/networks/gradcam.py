"""Grad-CAM: where in the image the evidence for an output lies (Selvaraju et al. 2017,
arXiv 1610.02391).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tasks.networks import device
from tasks.networks.architecture import LOGITS
from tasks.networks.layers import last_conv_layer
from tasks.networks.prediction import JIT, batch_size, outputs


def heatmaps(
    model: keras.Model,
    images: NDArray[np.uint8],
    class_index: int | Sequence[int],
    absent: bool | Sequence[bool] = False,
) -> NDArray[np.float32]:
    """Heatmaps `(N, h, w)` in [0, 1], at the resolution of the last convolutional layer.

    The gradient is that of the logit, which does not vanish where the score is near 0 or 1. A map's
    largest value is 1; a map without any evidence for the output is 0 everywhere.

    Args:
        model: made by `build`.
        images: `(N, H, W, C)` in [0, 255].
        class_index: the output to explain, or that of each image; in a binary task 0, the positive
            class.
        absent: explain that the class is absent, in all images or in some: what lowers its logit
            (the counterfactual of section 3.2 of the paper, and in a binary task the evidence for
            the negative class).
    """
    maps = model.get_layer(last_conv_layer(model)).output
    before = keras.Model(model.input, maps)
    before.jit_compile = JIT
    after = keras.Model(maps, model.get_layer(LOGITS).output)
    sought = np.eye(after.output_shape[-1], dtype=np.float32)[class_index]
    signed = np.where(absent, -1, 1)[..., None] * sought
    wanted = np.broadcast_to(signed.astype(np.float32), (len(images), sought.shape[-1]))
    found = np.zeros((len(images), *maps.shape[1:3]), np.float32)
    forward = device.backend.forward(before)
    size = min(max(1, len(images)), batch_size(*images.shape[1:3]))
    take, what = images.__getitem__, "Explaining batches"
    for rows, (computed,) in outputs(forward, len(images), size, take, what):
        found[rows] = _heatmaps(computed, after, wanted[rows])
    return found


def _heatmaps(maps: Any, after: keras.Model, wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the logits that `wanted` `(n, K)` weighs."""
    gradient = device.backend.gradient(lambda maps: after(maps, training=False) * wanted, maps)
    importance = ops.mean(gradient, axis=(1, 2), keepdims=True)
    evidence = ops.relu(ops.sum(importance * maps, axis=-1))
    largest = ops.max(evidence, axis=(1, 2), keepdims=True)
    return np.asarray(ops.divide_no_nan(evidence, largest), np.float32)
