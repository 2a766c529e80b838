"""A network as float ONNX."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from tasks.compression.canonical import canonical

if TYPE_CHECKING:
    import keras


def export(model: keras.Model, path: Path) -> None:
    """Write `model` as ONNX; equal networks give equal bytes.

    Args:
        model: input `(N, H, W, C)` of pixels 0 to 255, output `(N, K)`.
        path: the file.
    """
    model(np.zeros((1, *model.input_shape[1:]), np.float32))  # export refuses one never called
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # tf2onnx asks numpy for names that are gone
        model.export(path, format="onnx", verbose=False)
    onnx.save(canonical(onnx.load(path)), path)
