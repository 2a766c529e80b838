"""The head while it is trained alone: batch normalisation before it, which folds into it after."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from tasks.networks.architecture import LOGITS

MOMENTUM = 0.9  # of the running statistics: an epoch of stored features has few steps
NORM = "head_norm"


def normalised(head: keras.Model) -> keras.Model:
    """The same layers behind a new batch normalisation (Ioffe and Szegedy 2015, ICML).

    Args:
        head: from features `(N, C)`, one layer after the other.
    """
    features = keras.Input(head.input_shape[1:])
    x = layers.BatchNormalization(momentum=MOMENTUM, name=NORM)(features)
    for layer in head.layers[1:]:
        x = layer(x)
    return keras.Model(features, x)


def fold(head: keras.Model) -> None:
    """Let the dense layer of what `normalised` made do the work of its normalisation, which is
    linear once its statistics stand.
    """
    norm, dense = head.get_layer(NORM), head.get_layer(LOGITS)
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    kernel, bias = dense.get_weights()
    dense.set_weights([scale[:, None] * kernel, bias + (beta - mean * scale) @ kernel])
