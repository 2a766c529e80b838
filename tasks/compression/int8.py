"""Float ONNX to int8: weights and activations, static ranges (Jacob et al. 2018, CVPR)."""

from __future__ import annotations

import tempfile
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
from onnxruntime.quantization.shape_inference import quant_pre_process

from tasks.compression.canonical import INPUT, canonical
from tasks.imaging.images import Images

Pixels = NDArray[np.uint8]
POOLING = ("GlobalAveragePool", "ReduceMean")


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Images one by one, as onnxruntime's calibration wants them."""

    def __init__(self, images: Pixels) -> None:
        self._feeds = ({INPUT: image[None].astype(np.float32)} for image in images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)


def quantise(source: Path, target: Path, images: Pixels) -> None:
    """Write the int8 form of a float ONNX file, in QDQ format with one scale per channel.

    Args:
        source: the float file, from `networks.export`.
        target: the int8 file; the same source and images give the same bytes.
        images: `(N, H, W, C) uint8`; the activations' ranges are those that these images reach.
    """
    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / "folded.onnx"
        quant_pre_process(source, folded, skip_symbolic_shape=True)  # BatchNorm into convolutions
        graph = _named(folded)
        quantize_static(
            folded,
            target,
            _Reader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=head(graph),
        )
    onnx.save(canonical(onnx.load(target)), target)


def _named(path: Path) -> onnx.ModelProto:
    """Give the nodes of a folded file names that repeat. What onnxruntime noted about the folding
    stays, or it would ask for it again.
    """
    folded = onnx.load(path)
    graph = canonical(folded)
    graph.metadata_props.extend(folded.metadata_props)
    onnx.save(graph, path)
    return graph


def head(model: onnx.ModelProto) -> list[str]:
    """The nodes from the last pooling on, which stay float: next to no work, and a logit of 8 bits
    would give many images the same score.
    """
    nodes = model.graph.node
    pools = [place for place, node in enumerate(nodes) if node.op_type in POOLING]
    return [node.name for node in nodes[pools[-1] :]]


def score(path: Path, images: Images | Pixels, batch_size: int = 32) -> NDArray[np.float32]:
    """Scores `(N, K)` of an ONNX file for `(N, H, W, C) uint8` images."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    parts = [
        session.run(None, {INPUT: images[start : start + batch_size].astype(np.float32)})[0]
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)
