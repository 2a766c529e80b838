"""A network's trunk as float ONNX: pixels to logits, and to the maps that a heatmap is made of."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

from tasks.graphs.canonical import canonical
from tasks.graphs.joining import join, standard_opset

if TYPE_CHECKING:
    import keras

OUTPUTS = ("logits", "maps")
LATEST_OPSET = 18  # that tf2onnx writes


def export(
    model: keras.Model, logits: str, maps: str, path: Path, extractor: bytes | None = None
) -> None:
    """Write the trunk of `model`, batch normalisation folded into the convolutions before it;
    equal networks give equal bytes.

    Args:
        model: input `(N, H, W, C)` of pixels 0 to 255.
        logits: the layer whose output `(N, K)` comes before the last activation.
        maps: the layer whose activations `(N, h, w, channels)` a heatmap weighs.
        path: the file.
        extractor: the graph from pixels to these maps, where they come from one that Keras does not
            know.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported, folded = Path(folder) / "exported.onnx", Path(folder) / "folded.onnx"
        said, seen = (model.get_layer(name).output for name in (logits, maps))
        if extractor is None:
            _export(model.input, [said, seen], exported)
        else:
            _join(onnx.load_from_string(extractor), seen, said, exported)
        quant_pre_process(exported, folded, skip_symbolic_shape=True)
        onnx.save(_named(onnx.load(folded)), path)


def _join(
    extractor: onnx.ModelProto, maps: keras.KerasTensor, logits: keras.KerasTensor, path: Path
) -> None:
    """Write an extractor and what comes after its maps as one graph."""
    _export(maps, [logits], path, min(standard_opset(extractor), LATEST_OPSET))
    onnx.save(join(extractor, onnx.load(path), also=True), path)


def _export(
    start: keras.KerasTensor,
    ends: Sequence[keras.KerasTensor],
    path: Path,
    opset: int | None = None,
) -> None:
    """Write what lies between tensors of a network, as Keras exports it."""
    import keras  # not above: the room networks, which made the model, quiets it first

    part = keras.Model(start, list(ends))
    part(np.zeros((1, *start.shape[1:]), np.float32))  # export refuses one never called
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # tf2onnx asks numpy for names that are gone
        part.export(path, format="onnx", verbose=False, opset_version=opset)


def _named(folded: onnx.ModelProto) -> onnx.ModelProto:
    """Give everything names that repeat. What onnxruntime noted about the folding stays, or it
    would ask for it again before it makes int8.
    """
    graph = canonical(folded, OUTPUTS)
    graph.metadata_props.extend(folded.metadata_props)
    return graph
