"""EfficientNet-Lite0 as a flat functional graph with named blocks.

Tan, Le: EfficientNet, arXiv 1905.11946; the Lite variants drop squeeze-and-excitation and use
ReLU6 (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).
Stem and head are not scaled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
from keras import layers

EPSILON = 1e-3  # of batch normalisation


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


def lite0(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Features `(N, H / 32, W / 32, 1280)` of normalised pixels `(N, H, W, 3)`."""
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(pixels)
    x = _normalise(x, "stem")
    for index, block in enumerate(blocks()):
        x = _block(x, block, f"block{index}")
    x = layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(x)
    return _normalise(x, "top")


def blocks() -> Iterator[Block]:
    """The 16 blocks in their order."""
    for repeats, first in STAGES:
        yield first
        for _ in range(repeats - 1):
            yield Block(first.kernel, 1, first.expand, first.channels)


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
