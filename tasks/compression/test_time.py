"""A trunk that also looks at views of each image, and gives the mean of their logits.

The same as `networks.test_time.averaged`, in ONNX. The trunk inside stays as it is, int8 or float.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, version_converter

from tasks.common.errors import ParameterError
from tasks.graphs.canonical import INPUT
from tasks.graphs.joining import standard_opset
from tasks.serving.session import LOOKS

WITH_GRIDS = 16  # the first version of the operators that resamples by a grid
RENAMED = 20  # the first in which that operator's mode has another name
NO_VIEWS = np.zeros((0, 8), np.float32)
Step = tuple[str, list[str], str, dict[str, Any]]  # operator, inputs, output, attributes
SEEN, OF_VIEWS, MAPS_OF_VIEWS = "views", "logits_of_views", "maps_of_views"


def averaged(
    trunk: onnx.ModelProto, affine: NDArray[np.float32], image: tuple[int, ...]
) -> onnx.ModelProto:
    """The trunk behind V views and the image itself; with none, the trunk.

    Args:
        trunk: from `export` or int8: float `images` `(N, H, W, C)` to `logits` and `maps`.
        affine: `(V, 8)`, from pixels of a view to those of the image.
        image: `(H, W, C)`.

    Returns:
        The same, but that `logits` are means. `maps` are those of the image itself.
    """
    if not len(affine):
        return trunk
    if standard_opset(trunk) < WITH_GRIDS:
        trunk = _newer(trunk)
    whole = onnx.ModelProto()
    whole.CopyFrom(trunk)
    graph = whole.graph
    renamed = {INPUT: SEEN, "logits": OF_VIEWS, "maps": MAPS_OF_VIEWS}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    within = list(graph.node)
    del graph.node[:], graph.value_info[:]  # shapes that were inferred for N images
    mode = "linear" if standard_opset(trunk) >= RENAMED else "bilinear"
    graph.node.extend([*_front(mode), *within, *_back()])
    graph.initializer.extend(
        numpy_helper.from_array(array, name)
        for name, array in _constants(affine, image, _outputs(trunk)).items()
    )
    helper.set_model_props(whole, {LOOKS: str(1 + len(affine))})
    onnx.checker.check_model(whole)
    return whole


def _newer(trunk: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return version_converter.convert_version(trunk, WITH_GRIDS)
    except Exception as error:  # whatever the operators of a file that is brought are
        raise ParameterError(
            f"required: a graph that can be brought to opset {WITH_GRIDS}, for augment.test_views; "
            f"received: opset {standard_opset(trunk)}, and {type(error).__name__}: {error}. Export "
            "the feature extractor with opset 17, or set augment.test_views to 0"
        ) from None


def _outputs(trunk: onnx.ModelProto) -> int:
    """K."""
    (logits,) = (output for output in trunk.graph.output if output.name == "logits")
    return int(logits.type.tensor_type.shape.dim[1].dim_value)


def _front(mode: str) -> list[onnx.NodeProto]:
    """`images` to `views` `((1 + V) N, H, W, C)`, the images first. As many channels as there are
    images and channels are resampled by one grid per view: one for each image would be large.
    """
    resample = {"mode": mode, "padding_mode": "border", "align_corners": 1}
    steps: list[Step] = [
        ("Mul", ["grid_x", "grid_of_x"], "grid_by_x", {}),
        ("Mul", ["grid_y", "grid_of_y"], "grid_by_y", {}),
        ("Add", ["grid_by_x", "grid_by_y"], "grid_linear", {}),
        ("Add", ["grid_linear", "grid_shift"], "grid", {}),
        ("Transpose", [INPUT], "images_first", {"perm": [0, 3, 1, 2]}),
        ("Reshape", ["images_first", "as_channels"], "flat_images", {}),
        ("Expand", ["flat_images", "per_view"], "copies", {}),
        ("GridSample", ["copies", "grid"], "resampled", resample),
        ("Concat", ["flat_images", "resampled"], "all_views", {"axis": 0}),
        ("Reshape", ["all_views", "as_images"], "views_first", {}),
        ("Transpose", ["views_first"], SEEN, {"perm": [0, 2, 3, 1]}),
    ]
    return [_node(*step) for step in steps]


def _back() -> list[onnx.NodeProto]:
    steps: list[Step] = [
        ("Reshape", [OF_VIEWS, "by_view"], "logits_by_view", {}),
        ("ReduceSum", ["logits_by_view", "first_axis"], "sum_of_logits", {"keepdims": 0}),
        ("Mul", ["sum_of_logits", "one_share"], "logits", {}),
        ("Shape", [INPUT], "count", {"start": 0, "end": 1}),
        ("Slice", [MAPS_OF_VIEWS, "none", "count"], "maps", {}),
    ]
    return [_node(*step) for step in steps]


def _node(kind: str, inputs: list[str], output: str, how: dict[str, Any]) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], name=output, **how)


def _constants(
    affine: NDArray[np.float32], image: tuple[int, ...], outputs: int
) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """Those of `_front` and `_back`. A grid holds places from -1 to 1, from the centre of the first
    pixel to that of the last one, x before y.
    """
    (height, width, channels), views = image, len(affine)
    rows = affine[:, :6].astype(np.float64).reshape(views, 2, 3)
    half = np.array([width - 1, height - 1]) / 2
    placed = (rows / half[:, None]).transpose(2, 0, 1)[:, :, None, None, :]
    floats = {
        "grid_x": np.arange(width).reshape(1, 1, width, 1),
        "grid_y": np.arange(height).reshape(1, height, 1, 1),
        "grid_of_x": placed[0],
        "grid_of_y": placed[1],
        "grid_shift": placed[2] - 1,
        "one_share": np.array(1 / (1 + views)),
    }
    whole = {
        "as_channels": [1, -1, height, width],
        "per_view": [views, 1, 1, 1],
        "as_images": [-1, channels, height, width],
        "by_view": [1 + views, -1, outputs],
        "first_axis": [0],
        "none": [0],
    }
    return {name: value.astype(np.float32) for name, value in floats.items()} | {
        name: np.array(value, np.int64) for name, value in whole.items()
    }
