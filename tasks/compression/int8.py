"""Float ONNX to int8: weights and activations, static ranges (Jacob et al. 2018, CVPR)."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from tasks.compression.export import OUTPUTS
from tasks.graphs.canonical import INPUT, canonical

Pixels = NDArray[np.uint8]
POOLING = ("GlobalAveragePool", "ReduceMean")
LAYERS = ("Conv", "Gemm", "MatMul", "Add", "Concat")  # whose result int8 may spoil


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Images one by one, as onnxruntime's calibration wants them."""

    def __init__(self, images: Pixels) -> None:
        self._feeds = ({INPUT: image[None].astype(np.float32)} for image in images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)


@dataclass(frozen=True)
class Quantiser:
    """Makes int8 forms of one float file.

    Attributes:
        source: the file, from `export`.
        images: `(N, H, W, C)`; the activations' ranges are those that these images reach.
        ranges: a file for them, so that they are found once, in a folder for what passes.
    """

    source: Path
    images: Pixels
    ranges: Path

    def write(self, target: Path, in_float: Collection[str] = ()) -> None:
        """Write the int8 file, in QDQ format with one scale per channel; the head and the layers
        `in_float` are left as they are. The same source and images give the same bytes.
        """
        left = [*_head(onnx.load(self.source)), *in_float]
        self._quantise(target, nodes_to_exclude=left)
        onnx.save(canonical(onnx.load(target), OUTPUTS), target)

    def by_damage(self, images: Pixels) -> list[str]:
        """The layers, most sensitive first: by how far the logits of `images` move on average when
        that layer alone is int8.
        """
        truth, alone = logits(self.source, images), self.ranges.with_name("alone.onnx")
        damage = {}
        for name in _layers(onnx.load(self.source)):
            self._quantise(alone, nodes_to_quantize=[name])
            damage[name] = float(np.abs(logits(alone, images) - truth).mean())
        return sorted(damage, key=lambda name: -damage[name])

    def _quantise(self, target: Path, **which: list[str]) -> None:
        logging.disable(
            logging.WARNING
        )  # of weights without channels, which need no scale for each
        try:
            quantize_static(
                self.source,
                target,
                _Reader(self.images),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibration_cache_path=self.ranges,
                **which,
            )
        finally:
            logging.disable(logging.NOTSET)


def _head(model: onnx.ModelProto) -> list[str]:
    """The nodes from the last pooling on, which stay float: next to no work, and a logit of 8 bits
    would give many images the same score.
    """
    nodes = model.graph.node
    pools = [place for place, node in enumerate(nodes) if node.op_type in POOLING]
    return [node.name for node in nodes[pools[-1] :]]


def _layers(model: onnx.ModelProto) -> list[str]:
    head = set(_head(model))
    return [n.name for n in model.graph.node if n.op_type in LAYERS and n.name not in head]


def logits(path: Path, images: Pixels, batch_size: int = 32) -> NDArray[np.float32]:
    """Logits `(N, K)` by a trunk's file of `(N, H, W, C) uint8` images."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    parts = [
        session.run(OUTPUTS[:1], {INPUT: images[start : start + batch_size].astype(np.float32)})[0]
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)
