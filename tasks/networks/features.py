"""What layers see, and which images are alike to the frozen backbone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.networks import augmentation
from tasks.networks.architecture import DROPOUT
from tasks.networks.prefix import Prefix


def maps(model: keras.Model, layer: str, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The activations `(h, w, channels)` of a convolutional layer for one image `(H, W, C)`."""
    part = keras.Model(model.input, model.get_layer(layer).output)
    activations: NDArray[np.float32] = np.asarray(part(image[None].astype(np.float32)))
    return np.asarray(activations[0])


def pooled(head_model: keras.Model, pack: NDArray[np.uint8]) -> NDArray[np.float16]:
    """What the frozen backbone makes of every image of the pack, pooled, `(N, F)`; stored.

    Args:
        head_model: of the head phase, whose backbone is as it came.
        pack: `(N, H, W, C)`.
    """
    plain = [augmentation.plain(len(pack))]
    (found,) = Prefix(head_model, [DROPOUT]).activations(pack, plain, "Frozen part, all images")
    return found


def nearest(
    features: NDArray[np.floating[Any]], others: NDArray[np.floating[Any]], count: int
) -> NDArray[np.int64]:
    """Of each row `(N, F)` the `count` rows of `others` `(M, F)` that are most alike by the cosine,
    the nearest first, `(N, count)`.
    """
    a, b = (table.astype(np.float32) for table in (features, others))
    b /= np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-12)
    return np.argsort(-(a @ b.T), axis=1, kind="stable")[:, :count]
