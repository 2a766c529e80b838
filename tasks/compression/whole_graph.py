"""A trunk made whole: pixels as the pack holds them in, calibrated scores out."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tasks.graphs.canonical import INPUT
from tasks.serving.session import LOOKS, batch_size
from tasks.statistics.recalibration import Recalibration

CAST, TEMPERATURE, SHIFTS, WEIGHTS = "pixels", "temperature", "shifts", "head_weights"
ACTIVATIONS = {"binary": "Sigmoid", "multilabel": "Sigmoid", "multiclass": "Softmax"}


def complete(
    trunk: onnx.ModelProto, kind: str, found: Recalibration, weights: NDArray[np.float32]
) -> onnx.ModelProto:
    """The graph that serves.

    Args:
        trunk: from `export` or int8: float `images` to `logits` and `maps`.
        kind: of the task: which activation makes scores of logits.
        found: what calibrates the scores.
        weights: `(channels, K)` of the last dense layer.

    Returns:
        `images` `(N, H, W, C)` uint8 to `scores` `(N, K)`, `maps` `(N, h, w, channels)` and
        `weights`. Where global average pooling and one dense layer follow the maps, the gradient of
        a logit of the image itself is its column of the weights at every place, so their product is
        both the class activation map (Zhou et al. 2016, CVPR) and Grad-CAM, up to a factor.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(trunk)
    graph = whole.graph
    for node in graph.node:
        node.input[:] = [CAST if name == INPUT else name for name in node.input]
    graph.node.insert(0, helper.make_node("Cast", [INPUT], [CAST], name=CAST, to=TensorProto.FLOAT))
    graph.node.extend(_scores(kind, found))
    graph.node.append(helper.make_node("Identity", [WEIGHTS], ["weights"], name="weights"))
    graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    graph.output[0].name = "scores"
    graph.output.append(helper.make_tensor_value_info("weights", TensorProto.FLOAT, weights.shape))
    graph.initializer.extend(
        [*_constants(found), numpy_helper.from_array(np.asarray(weights, np.float32), WEIGHTS)]
    )
    looks = [entry for entry in trunk.metadata_props if entry.key == LOOKS]
    del whole.metadata_props[:]
    whole.metadata_props.extend(looks)
    onnx.checker.check_model(whole)
    return whole


def head_scores(
    trunk: onnx.ModelProto, kind: str, found: Recalibration, logits: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The scores `(N, K)` that the whole graph makes of such logits of its trunk, by the same
    nodes, in the same batches.
    """
    shape = ["images", logits.shape[1]]
    given, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("logits", "scores")
    )
    graph = helper.make_graph(_scores(kind, found), "head", [given], [made], _constants(found))
    model = helper.make_model(graph, opset_imports=trunk.opset_import, ir_version=trunk.ir_version)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    size = batch_size({entry.key: entry.value for entry in trunk.metadata_props})
    starts = range(0, len(logits), size)
    return np.concatenate([session.run(None, {"logits": logits[k : k + size]})[0] for k in starts])


def _scores(kind: str, found: Recalibration) -> list[onnx.NodeProto]:
    axis = {"axis": 1} if ACTIVATIONS[kind] == "Softmax" else {}
    nodes = [helper.make_node("Div", ["logits", TEMPERATURE], ["tempered"], name="tempered")]
    if found.shifts:
        nodes.append(helper.make_node("Add", ["tempered", SHIFTS], ["shifted"], name="shifted"))
    last = nodes[-1].output[0]
    return [*nodes, helper.make_node(ACTIVATIONS[kind], [last], ["scores"], name="scores", **axis)]


def _constants(found: Recalibration) -> list[onnx.TensorProto]:
    constants = [numpy_helper.from_array(np.float32(found.temperature), TEMPERATURE)]
    if found.shifts:
        constants.append(numpy_helper.from_array(np.array(found.shifts, np.float32), SHIFTS))
    return constants
