"""EfficientNet-Lite as a flat functional graph with named blocks.

Tan, Le: EfficientNet, arXiv 1905.11946; the Lite variants drop squeeze-and-excitation and use
ReLU6 (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).
Lite1 and Lite2 are Lite0 made deeper and wider; stem, head, and the depth of the first and the last
stage are not scaled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
from keras import layers

EPSILON = 1e-3  # of batch normalisation
MULTIPLE = 8  # what a scaled number of channels is rounded to

Features = Callable[[keras.KerasTensor], keras.KerasTensor]


@dataclass(frozen=True)
class Block:
    """An inverted residual block; `expand` multiplies its input channels."""

    kernel: int
    stride: int
    expand: int
    channels: int


# Each stage: (repeats, its first block); further blocks of a stage have stride 1.
STAGES = (
    (1, Block(3, 1, 1, 16)),
    (2, Block(3, 2, 6, 24)),
    (2, Block(5, 2, 6, 40)),
    (3, Block(3, 2, 6, 80)),
    (3, Block(5, 1, 6, 112)),
    (4, Block(5, 2, 6, 192)),
    (1, Block(3, 1, 6, 320)),
)


def lite(width: float = 1.0, depth: float = 1.0) -> Features:
    """The graph of a size: from normalised pixels `(N, H, W, 3)` to features
    `(N, H / 32, W / 32, 1280)`.
    """

    def features(pixels: keras.KerasTensor) -> keras.KerasTensor:
        stem = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")
        x = _normalise(stem(pixels), "stem")
        for index, block in enumerate(blocks(width, depth)):
            x = _block(x, block, f"block{index}")
        x = layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(x)
        return _normalise(x, "top")

    return features


def blocks(width: float, depth: float) -> Iterator[Block]:
    """The blocks in their order."""
    for place, (repeats, first) in enumerate(STAGES):
        channels = _rounded(width * first.channels)
        scaled = repeats if place in (0, len(STAGES) - 1) else math.ceil(depth * repeats)
        yield Block(first.kernel, first.stride, first.expand, channels)
        for _ in range(scaled - 1):
            yield Block(first.kernel, 1, first.expand, channels)


def _rounded(channels: float) -> int:
    """To a multiple, by at most a tenth down (`round_filters` of the source above)."""
    nearest = max(MULTIPLE, int(channels + MULTIPLE / 2) // MULTIPLE * MULTIPLE)
    return nearest + MULTIPLE if nearest < 0.9 * channels else nearest


def _block(inputs: keras.KerasTensor, block: Block, name: str) -> keras.KerasTensor:
    x, channels = inputs, inputs.shape[-1]
    if block.expand > 1:
        expanded = channels * block.expand
        x = layers.Conv2D(expanded, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _normalise(x, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        use_bias=False,
        name=f"{name}_depthwise_conv",
    )(x)
    x = _normalise(x, f"{name}_depthwise")
    x = layers.Conv2D(block.channels, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_project_bn")(x)
    if block.stride == 1 and channels == block.channels:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def _normalise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(max_value=6, name=f"{name}_relu")(x)
