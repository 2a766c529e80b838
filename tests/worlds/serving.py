"""A package that needs no network: its graph scores brightness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tasks.compression.whole_graph import complete
from tasks.serving import packing, probe, settings
from tasks.serving.session import Session
from tasks.statistics import recalibration
from tasks.statistics.operating_point import OperatingPoint

BINARY = {"kind": "binary", "classes": ["no_nodule", "nodule"]}


def trunk(weights: np.ndarray, bias: np.ndarray, size: int) -> onnx.ModelProto:
    """Float `images` `(N, size, size, C)` of 0 to 255 to `maps`, the same of 0 to 1, and `logits`
    of their means."""
    channels, outputs = weights.shape
    shape = ["images", size, size, channels]
    make, constant = helper.make_node, numpy_helper.from_array
    graph = helper.make_graph(
        [
            make("Mul", ["images", "scale"], ["maps"], name="scale"),
            make("ReduceMean", ["maps"], ["means"], name="pool", axes=[1, 2], keepdims=0),
            make("MatMul", ["means", "weights_of_head"], ["product"], name="product"),
            make("Add", ["product", "bias"], ["logits"], name="bias"),
        ],
        "trunk",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["images", outputs]),
            helper.make_tensor_value_info("maps", TensorProto.FLOAT, shape),
        ],
        [
            constant(np.float32(1 / 255), "scale"),
            constant(weights.astype(np.float32), "weights_of_head"),
            constant(bias.astype(np.float32), "bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def write_serving(
    folder: Path,
    task: dict[str, Any] | None = None,
    size: int = 32,
    gain: float = 20.0,
    threshold: float = 0.5,
    serves: str = settings.FLOAT,
) -> None:
    """The files that serve: the first output is the surer the brighter, from `threshold` on, the
    others in turn the less and the more sure. Every answer needs a score of 0.1 to be left open."""
    task = task or BINARY
    outputs = 1 if task["kind"] == "binary" else len(task["classes"])
    signs = np.array([(-1) ** k for k in range(outputs)])
    graph = trunk(gain * signs[None, :], -0.25 * gain * signs, size)
    weights = (gain * signs[None, :]).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    scored = task["classes"][-outputs:]
    least = dict.fromkeys([*task["classes"], *(f"not {x}" for x in task["classes"])], 0.1)
    by_class = dict.fromkeys(scored, threshold)
    point = OperatingPoint("youden", 0.9, None if task["kind"] == "multiclass" else by_class)
    as_it_is, files = recalibration.identity(task["kind"], outputs), {}
    for name in {settings.FLOAT, serves}:
        onnx.save(complete(graph, task["kind"], as_it_is, weights), folder / name)
        fingerprint = Session(folder / name).fingerprint(probe.images(size, size, 1))
        files[name] = settings.File(1.0, point, least, fingerprint)
    preprocess = {"size": [size, size], "color": "grey", "window": None}
    settings.write(folder, settings.Settings(task, preprocess, serves, files))


def write_package(folder: Path, **options: Any) -> None:
    """The whole package, as the stage `compress` leaves it."""
    write_serving(folder / "serving", **options)
    packing.write_code(folder / "code")
