"""Two graphs, one behind the other."""

from __future__ import annotations

from onnx import ModelProto, compose, helper, version_converter

FIRST, SECOND = "first_", "second_"


def join(first: ModelProto, second: ModelProto, also: bool = False) -> ModelProto:
    """The graph in which the one output of `first` is the one input of `second`, with the operators
    of `first`'s version.

    Args:
        first: from the inputs.
        second: to the output.
        also: the output of `first` is one of the whole too, after that of `second`.
    """
    opset = standard_opset(first)
    if standard_opset(second) != opset:
        second = version_converter.convert_version(second, opset)
    front = compose.add_prefix_graph(first.graph, FIRST)
    back = compose.add_prefix_graph(second.graph, SECOND)
    between, end = front.output[0], back.output[0]
    outputs = [end.name, between.name] if also else [end.name]
    graph = compose.merge_graphs(front, back, [(between.name, back.input[0].name)], outputs=outputs)
    del graph.output[:]
    graph.output.extend([end, between] if also else [end])
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=first.ir_version
    )


def standard_opset(model: ModelProto) -> int:
    """The version of the standard operators that a graph uses."""
    return max(
        (one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0
    )
