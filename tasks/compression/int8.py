"""Float ONNX to int8: weights and activations, static ranges (Jacob et al. 2018, CVPR)."""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QDQQuantizer,
    QuantType,
    TensorsData,
    create_calibrator,
)
from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from tasks.compression.export import OUTPUTS
from tasks.graphs.canonical import INPUT, canonical
from tasks.imaging.batching import cores
from tasks.imaging.images import Images
from tasks.serving.session import batch_size

Pixels = NDArray[np.uint8]
POOLING = ("GlobalAveragePool", "ReduceMean")
LAYERS = ("Conv", "Gemm", "MatMul", "Add", "Concat")  # whose result int8 may spoil
OPERATORS = sorted({*QDQRegistry, *QLinearOpsRegistry})
AT_ONCE = 4  # layers looked at: each has a copy of the network


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
    """

    source: Path
    images: Pixels

    def write(self, target: Path, in_float: Collection[str] = ()) -> None:
        """Write the int8 file, in QDQ format with one scale per channel; the head and the layers
        `in_float` are left as they are. The same source and images give the same bytes.
        """
        onnx.save(self._quantised(besides=[*_head(self._network), *in_float]), target)

    def by_damage(self, images: Pixels) -> list[str]:
        """The layers, most sensitive first: by how far the logits of `images` move on average when
        that layer alone is int8.
        """
        truth, names = logits(self.source, images), _layers(self._network)

        def damage(name: str) -> float:
            alone = self._quantised(only=[name]).SerializeToString()
            return float(np.abs(logits(alone, images, threads=1) - truth).mean())

        _ = self._ranges  # found here, once: threads would each begin to look for them
        with ThreadPoolExecutor(min(cores(), AT_ONCE)) as pool:
            found = dict(zip(names, pool.map(damage, names), strict=True))
        return sorted(found, key=lambda name: -found[name])

    @cached_property
    def _network(self) -> onnx.ModelProto:
        return load_model_with_shape_infer(self.source)

    @cached_property
    def _ranges(self) -> TensorsData:
        with tempfile.TemporaryDirectory() as folder:
            calibrator = create_calibrator(
                self.source, OPERATORS, str(Path(folder) / "with_ranges.onnx")
            )
            calibrator.collect_data(_Reader(self.images))
            return calibrator.compute_data()

    def _quantised(
        self, only: Collection[str] = (), besides: Collection[str] = ()
    ) -> onnx.ModelProto:
        """All nodes or `only` some, but none `besides`, in int8; from copies, since the library
        changes network and ranges.
        """
        quantiser = QDQQuantizer(
            copy.deepcopy(self._network),
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=copy.deepcopy(self._ranges),
            nodes_to_quantize=only,
            nodes_to_exclude=besides,
            op_types_to_quantize=OPERATORS,
            extra_options={},
        )
        logging.disable(
            logging.WARNING
        )  # of weights without channels, which need no scale for each
        try:
            return canonical(quantiser.quantize_model(), OUTPUTS)
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


def logits(model: Path | bytes, images: Images | Pixels, threads: int = 0) -> NDArray[np.float32]:
    """Logits `(N, K)` by a trunk, in its file or as its bytes, of `(N, H, W, C) uint8` images; 0
    threads are as many as there are cores.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    size = batch_size(session.get_modelmeta().custom_metadata_map)
    parts = [
        session.run(OUTPUTS[:1], {INPUT: images[k : k + size].astype(np.float32)})[0]
        for k in range(0, len(images), size)
    ]
    return np.concatenate(parts)
