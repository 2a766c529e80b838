"""A feature extractor that somebody brings as ONNX, brought to one interface.

Whatever its layout, channels, normalisation and batch, what comes out takes pixels as the pack has
them and gives maps, so that training, explanations and the file that serves need to know no more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tasks.common.errors import ParameterError
from tasks.graphs.canonical import canonical
from tasks.graphs.foreign import read, refused
from tasks.graphs.front import BATCH, front
from tasks.graphs.interface import Interface, inputs, interface_of
from tasks.graphs.joining import join
from tasks.graphs.running import session

if TYPE_CHECKING:
    from tasks.common.params.model import OnnxPixels

MAPS = "maps"
TOLERANCE = 1e-3  # of what an image gives alone and among others, by the largest
SHOWN = 160  # characters of an error of ONNX Runtime
MANY = "the same features of each of several images as of it alone"
EXPORT = "Export in evaluation mode, with dynamic_axes={'pixels': {0: 'images'}}"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Extractor:
    """A graph from `images` `(N, H, W, C)`, float32 from 0 to 255, to `maps` `(N, h, w, F)`.

    Attributes:
        graph: serialised; equal extractors give equal bytes.
        shape: `(h, w, F)`; features without places are a map of one place.
    """

    graph: bytes
    shape: tuple[int, ...]


def load(path: Path, pixels: OnnxPixels, size: Sequence[int], channels: int) -> Extractor:
    """Read an extractor and try it on two images.

    Args:
        path: of an ONNX file with one input `(N, C, H, W)` or `(N, H, W, C)` and one output,
            `(N, F)`, `(N, F, h, w)` or `(N, h, w, F)`, float32 both.
        pixels: how it wants its pixels.
        size: height and width of the images that it will see.
        channels: of these, 1 or 3.

    Raises:
        WeightsError: the file is no such graph.
        ParameterError: it takes images of another size, or grey ones alone.
    """
    model = read(path)
    interface = interface_of(path, model, size, channels)
    if interface.channels < max(len(pixels.mean), len(pixels.std)):
        raise ParameterError(
            f"model.onnx: required one number in mean and one in std, for {path} takes one "
            "channel; received three"
        )
    joined = _joined(model, interface, pixels, (*size, channels))
    shape = _try(path, joined, (*size, channels))
    whole = _finished(joined, shape, interface)
    return Extractor(whole.SerializeToString(deterministic=True), _places(shape, interface))


def parameters(graph: bytes) -> int:
    """How many numbers a graph holds, without sizes and axes."""
    constants = onnx.load_from_string(graph).graph.initializer
    return sum(math.prod(c.dims) for c in constants if c.data_type == TensorProto.FLOAT)


def _joined(
    model: ModelProto, interface: Interface, pixels: OnnxPixels, image: Sequence[int]
) -> ModelProto:
    """The graph behind its normalisation, for any number of images."""
    free = ModelProto()
    free.CopyFrom(model)
    graph = free.graph
    del graph.value_info[:]  # they may tell of the batch that it was exported with
    own = inputs(graph)
    del graph.input[:]
    graph.input.extend(own)
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = BATCH
    for place, axis in enumerate(graph.output[0].type.tensor_type.shape.dim):
        axis.dim_param = f"axis{place}"
    return join(front(model, interface, pixels, image), free)


def _try(path: Path, model: ModelProto, image: Sequence[int]) -> tuple[int, ...]:
    """The shape of what an image gives, once two have given together what each gives alone."""
    images = np.random.default_rng(0).integers(0, 256, (2, *image)).astype(np.float32)
    source = model.graph.input[0].name
    try:
        run = session(model.SerializeToString()).run
        alone = np.concatenate([run(None, {source: one[None]})[0] for one in images])
    except Exception as error:  # ONNX Runtime's own have no other base
        height, width = image[:2]
        required = f"a graph that runs on an image of {height} x {width}"
        raise refused(path, required, _told(error)) from None
    if alone.ndim not in (2, 4) or not np.isfinite(alone).all():
        required = "finite features (N, F), or maps (N, F, h, w) or (N, h, w, F)"
        raise refused(path, required, f"{list(alone.shape)} of two images")
    try:
        together = run(None, {source: images})[0]
    except Exception as error:
        raise refused(path, MANY, f"{_told(error)}. {EXPORT}") from None
    if together.shape != alone.shape or _apart(together, alone) > TOLERANCE:
        raise refused(path, MANY, f"others among others. {EXPORT}")
    return tuple(alone.shape[1:])


def _told(error: Exception) -> str:
    """The end of what ONNX Runtime says: before it come paths of its own sources."""
    return f"an error (..{str(error).strip()[-SHOWN:]})"


def _apart(found: Floats, expected: Floats) -> float:
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-6))


def _finished(model: ModelProto, shape: Sequence[int], interface: Interface) -> ModelProto:
    """The whole graph with `maps` as its output, in the form of equal graphs."""
    graph = model.graph
    source = graph.output[0].name
    if len(shape) == 1:
        axes = numpy_helper.from_array(np.array([1, 2]), "places")
        graph.initializer.append(axes)
        graph.node.append(helper.make_node("Unsqueeze", [source, "places"], [MAPS]))
    elif _first(shape, interface):
        graph.node.append(helper.make_node("Transpose", [source], [MAPS], perm=[0, 2, 3, 1]))
    else:
        graph.node.append(helper.make_node("Identity", [source], [MAPS]))
    del graph.output[:]
    told = [BATCH, *_places(shape, interface)]
    graph.output.append(helper.make_tensor_value_info(MAPS, TensorProto.FLOAT, told))
    return canonical(model, [MAPS])


def _places(shape: Sequence[int], interface: Interface) -> tuple[int, ...]:
    """Height, width and features of what an image gives."""
    if len(shape) == 1:
        return (1, 1, shape[0])
    return (*shape[1:], shape[0]) if _first(shape, interface) else tuple(shape)


def _first(shape: Sequence[int], interface: Interface) -> bool:
    """Whether the features of maps come before height and width: these are mostly equal; where
    that tells nothing, the output is laid out as the input is.
    """
    if (shape[1] == shape[2]) != (shape[0] == shape[1]):
        return shape[1] == shape[2]
    return interface.channels_first
