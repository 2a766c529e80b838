"""A network's trunk as float ONNX: pixels to logits, and to the maps that a heatmap is made of."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

from tasks.compression.canonical import canonical

if TYPE_CHECKING:
    import keras

OUTPUTS = ("logits", "maps")


def export(model: keras.Model, logits: str, maps: str, path: Path) -> None:
    """Write the trunk of `model`, batch normalisation folded into the convolutions before it;
    equal networks give equal bytes.

    Args:
        model: input `(N, H, W, C)` of pixels 0 to 255.
        logits: the layer whose output `(N, K)` comes before the last activation.
        maps: the layer whose activations `(N, h, w, channels)` a heatmap weighs.
        path: the file.
    """
    import keras  # not above: the room networks, which made the model, quiets it first

    trunk = keras.Model(model.input, [model.get_layer(name).output for name in (logits, maps)])
    trunk(np.zeros((1, *model.input_shape[1:]), np.float32))  # export refuses one never called
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        exported, folded = Path(folder) / "exported.onnx", Path(folder) / "folded.onnx"
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # tf2onnx asks numpy for names that are gone
            trunk.export(exported, format="onnx", verbose=False)
        quant_pre_process(exported, folded, skip_symbolic_shape=True)
        onnx.save(_named(onnx.load(folded)), path)


def _named(folded: onnx.ModelProto) -> onnx.ModelProto:
    """Give everything names that repeat. What onnxruntime noted about the folding stays, or it
    would ask for it again before it makes int8.
    """
    graph = canonical(folded, OUTPUTS)
    graph.metadata_props.extend(folded.metadata_props)
    return graph
