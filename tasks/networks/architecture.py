"""Build the network: one flat functional graph from raw pixels to scores.

Flat, because a model nested in a model disconnects the gradients that Grad-CAM needs; with the
normalisation inside, so that whoever holds the model cannot feed it differently scaled pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
from keras import layers

from tasks.common import labels
from tasks.common.errors import ParameterError
from tasks.networks import extracting
from tasks.networks.backbones import BACKBONES, ONNX
from tasks.networks.weights import load_weights

if TYPE_CHECKING:
    from tasks.common.params.model import Model
    from tasks.common.params.pixels import PixelSettings
    from tasks.common.params.task import Task

NORMALISED, EXTRACTED, STAGES, POOLED = "normalise", "maps", "stages", "pooled"
DROPOUT, LOGITS, SCORES = "dropout", "logits", "scores"


def build(model: Model, preprocess: PixelSettings, task: Task) -> keras.Model:
    """The untrained network with its backbone's weights loaded.

    Args:
        model: backbone, weights and dropout.
        preprocess: size and colour of the prepared images.
        task: kind and classes.

    Returns:
        `(N, H, W, C)` pixels from 0 to 255 -> `(N, K)` scores, sigmoid or softmax.

    Raises:
        WeightsError: the weights cannot be had or do not fit.
        ParameterError: the images do not suit the backbone.
    """
    return with_head(trunk(model, preprocess), model.dropout, task)


def trunk(model: Model, preprocess: PixelSettings) -> keras.Model:
    """Pixels to features, the backbone's weights loaded; arguments and errors as in `build`."""
    channels = 1 if preprocess.color == "grey" else 3
    inputs = keras.Input((*preprocess.size, channels), name="pixels")
    if model.backbone == ONNX:
        features = extracting.layer(model, preprocess, EXTRACTED)(inputs)
    else:
        features = _features(inputs, model, preprocess)
    return keras.Model(inputs, features)


def with_head(features: keras.Model, dropout: float, task: Task) -> keras.Model:
    """The network that a new head makes of a trunk, whose layers and weights it shares."""
    return keras.Model(features.input, _head(features.output, dropout, task), name="medloop")


def _features(
    inputs: keras.KerasTensor, model: Model, preprocess: PixelSettings
) -> keras.KerasTensor:
    """What a backbone of `BACKBONES` makes of pixels, its weights loaded."""
    backbone, channels = BACKBONES[model.backbone], inputs.shape[-1]
    x = layers.Concatenate(name="channels")([inputs] * 3) if channels == 1 else inputs
    scale, offset = backbone.normalisation.scale, backbone.normalisation.offset
    x = layers.Rescaling(scale, offset, name=NORMALISED)(x)
    try:
        features = backbone.features(x)
    except ValueError as error:
        raise ParameterError(
            f"preprocess.size {preprocess.size} does not suit {model.backbone}: {error}"
        ) from None
    whole = keras.Model(inputs, features)
    load_weights(whole, model.backbone, model.weights)
    if model.pool == "last":
        return features
    return _side_by_side([*(whole.get_layer(name).output for name in backbone.stages), features])


def _side_by_side(maps: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """Maps of several stages as channels of one, at the resolution of the last. Averages bring them
    there, so that what is pooled afterwards is the mean of each.
    """
    height, width = maps[-1].shape[1:3]
    alike = []
    for stage, each in enumerate(maps):
        size = math.ceil(each.shape[1] / height), math.ceil(each.shape[2] / width)
        mean = layers.AveragePooling2D(size, padding="same", name=f"{STAGES}_{stage}")
        alike.append(each if size == (1, 1) else mean(each))
    return layers.Concatenate(name=STAGES)(alike)


def _head(features: keras.KerasTensor, dropout: float, task: Task) -> keras.KerasTensor:
    x = layers.GlobalAveragePooling2D(name=POOLED)(features)
    x = layers.Dropout(dropout, name=DROPOUT)(x)
    x = layers.Dense(labels.scores_per_image(task.kind, task.names), name=LOGITS)(x)
    activation = "softmax" if task.kind == "multiclass" else "sigmoid"
    return layers.Activation(activation, name=SCORES)(x)
