"""From pixels as the pack has them to pixels as an ONNX file wants them, as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tasks.graphs.canonical import INPUT
from tasks.graphs.interface import Interface
from tasks.graphs.joining import standard_opset

if TYPE_CHECKING:
    from tasks.common.params.model import OnnxPixels

BATCH = "images"  # the name of the first axis, however many there are
LEAST_IR = 4  # before, constants had to be inputs too
LAST = ""  # in the inputs of a step: what the step before gives


def front(
    model: ModelProto, interface: Interface, pixels: OnnxPixels, image: Sequence[int]
) -> ModelProto:
    """What comes before `model`: from `images` `(N, H, W, C)` of 0 to 255 to its input.

    Args:
        model: the file.
        interface: what it takes.
        pixels: how it wants these.
        image: `(H, W, C)`.
    """
    steps = list(_steps(interface, pixels, image[2]))
    names = [INPUT, *(f"step{k}" for k in range(len(steps)))]
    nodes = [
        helper.make_node(kind, [names[k] if i == LAST else i for i in given], [names[k + 1]], **how)
        for k, (kind, given, how) in enumerate(steps)
    ]
    graph = helper.make_graph(
        nodes,
        "front",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [BATCH, *image])],
        [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, _taken(interface, image))],
        _constants(pixels),
    )
    imports = [helper.make_opsetid("", standard_opset(model))]
    version = max(model.ir_version, LEAST_IR)
    return helper.make_model(graph, opset_imports=imports, ir_version=version)


def _steps(
    interface: Interface, pixels: OnnxPixels, channels: int
) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Operator, inputs and attributes of each step."""
    if channels < interface.channels:
        yield "Concat", [LAST] * interface.channels, {"axis": 3}
    yield "Mul", [LAST, "scale"], {}
    yield "Add", [LAST, "offset"], {}
    if pixels.channels == "bgr" and interface.channels == 3:
        yield "Gather", [LAST, "bgr"], {"axis": 3}
    if interface.channels_first:
        yield "Transpose", [LAST], {"perm": [0, 3, 1, 2]}


def _constants(pixels: OnnxPixels) -> list[TensorProto]:
    mean, std = (np.asarray(value, np.float64) for value in (pixels.mean, pixels.std))
    constants = {
        "scale": (1 / (255 * std)).astype(np.float32),
        "offset": (-mean / std).astype(np.float32),
        "bgr": np.array([2, 1, 0]),
    }
    return [numpy_helper.from_array(value, name) for name, value in constants.items()]


def _taken(interface: Interface, image: Sequence[int]) -> list[str | int]:
    height, width, _ = image
    if interface.channels_first:
        return [BATCH, interface.channels, height, width]
    return [BATCH, height, width, interface.channels]
