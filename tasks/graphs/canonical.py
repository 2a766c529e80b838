"""One form for equal ONNX graphs.

tf2onnx walks over sets, so the order and the names of nodes and constants change from one process
to the next. Here nodes are ordered as the outputs need them and everything is named by that order.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

INPUT = "images"


def canonical(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """`model` with its one input named `images` and its outputs named as given, in their order;
    equal graphs give equal bytes. Graphs within nodes (loops, conditions) are not in a classifier.
    """
    graph = model.graph
    order = _needed_order(graph)
    named = {info.name: name for info, name in zip(graph.output, outputs, strict=True)}
    names = {"": "", graph.input[0].name: INPUT} | named
    constants = {constant.name: constant for constant in graph.initializer}
    used = dict.fromkeys(i for node in order for i in node.input if i in constants)
    names |= {name: f"c{k}" for k, name in enumerate(used)}
    nodes = [_renamed(node, k, names) for k, node in enumerate(order)]
    clean = onnx.helper.make_graph(
        nodes,
        "medloop",
        [_value(graph.input[0], INPUT)],
        [_value(info, named[info.name]) for info in graph.output],
        [_constant(constants[name], names[name]) for name in used],
    )
    return onnx.helper.make_model(
        clean,
        producer_name="medloop",
        opset_imports=sorted(model.opset_import, key=lambda opset: opset.domain),
        ir_version=model.ir_version,
    )


def _needed_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that the outputs need, each after its inputs, by depth-first search."""
    makers = {name: node for node in graph.node for name in node.output}
    order: list[onnx.NodeProto] = []
    done: set[str] = set()
    waiting = [(info.name, False) for info in reversed(graph.output)]
    while waiting:
        name, inputs_are_done = waiting.pop()
        node = makers.get(name)
        if node is None or name in done:
            continue
        if inputs_are_done:
            order.append(node)
            done.update(node.output)
        else:
            waiting.append((name, True))
            waiting.extend((source, False) for source in reversed(node.input))
    return order


def _renamed(node: onnx.NodeProto, place: int, names: dict[str, str]) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for k, name in enumerate(node.output):
        names.setdefault(name, f"t{place}_{k}")
    copy.name = f"{node.op_type}_{place}"
    copy.input[:] = [names[name] for name in node.input]
    copy.output[:] = [names[name] for name in node.output]
    copy.ClearField("doc_string")
    attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
    del copy.attribute[:]
    copy.attribute.extend(attributes)
    return copy


def _value(info: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(info)
    copy.name = name
    copy.type.tensor_type.shape.dim[0].dim_param = "images"
    return copy


def _constant(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), name)
