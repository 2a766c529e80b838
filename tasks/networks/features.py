"""What a layer sees."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray


def maps(model: keras.Model, layer: str, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The activations `(h, w, channels)` of a convolutional layer for one image `(H, W, C)`."""
    part = keras.Model(model.input, model.get_layer(layer).output)
    activations: NDArray[np.float32] = np.asarray(part(image[None].astype(np.float32)))
    return np.asarray(activations[0])
