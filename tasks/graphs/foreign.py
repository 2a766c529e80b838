"""Read an ONNX file that somebody brings; refuse what cannot become part of one that serves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import onnx
from onnx import AttributeProto, ModelProto, TensorProto

from tasks.common.errors import WeightsError
from tasks.graphs.joining import standard_opset

LEAST_OPSET = 13  # from which on int8 has a scale per channel
STANDARD = ("", "ai.onnx")


def read(path: Path) -> ModelProto:
    """The graph of a file, with functions that it defines written out.

    Raises:
        WeightsError: it is none, or has parts in other files, operators beyond the standard, loops,
            conditions, or a version too old.
    """
    try:
        model = onnx.load(path, load_external_data=False)
        _require_whole(path, model)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        onnx.checker.check_model(model)
    except WeightsError:
        raise
    except Exception as error:  # a crafted file fails in more ways than can be listed
        told = str(error).strip().partition("\n")[0]
        raise refused(path, "an ONNX file", f"what is none ({told})") from None
    _require_standard(path, list(model.graph.node))
    if (found := standard_opset(model)) < LEAST_OPSET:
        raise refused(
            path,
            f"opset {LEAST_OPSET} or later",
            f"opset {found}. Export it anew, with opset_version=17",
        )
    return model


def refused(path: Path, required: str, received: str) -> WeightsError:
    """Why the file behind `model.weights` is not taken."""
    return WeightsError(f"model.weights: required {required}; received {received}: {path}")


def _require_whole(path: Path, model: ModelProto) -> None:
    apart = [t for t in _tensors(model) if t.data_location == TensorProto.EXTERNAL]
    if apart:
        raise refused(
            path,
            "all weights in the one file",
            f"{len(apart)} that lie in others. Export with external_data=False, or save what "
            "onnx.load gives with onnx.save",
        )


def _tensors(model: ModelProto) -> Iterable[TensorProto]:
    yield from model.graph.initializer
    for node in (*model.graph.node, *(n for f in model.functions for n in f.node)):
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _require_standard(path: Path, nodes: Sequence[onnx.NodeProto]) -> None:
    others = sorted({f"{n.domain}.{n.op_type}" for n in nodes if n.domain not in STANDARD})
    if others:
        raise refused(
            path,
            "operators of the ONNX standard",
            f"{', '.join(others)}. Export without optimisation for one runtime",
        )
    inner = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    branched = sorted({n.op_type for n in nodes if any(a.type in inner for a in n.attribute)})
    if branched:
        raise refused(
            path,
            "a graph without loops and conditions",
            f"{', '.join(branched)}. Simplify it (onnxsim), or export with fixed sizes",
        )
