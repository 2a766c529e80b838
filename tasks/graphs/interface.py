"""What an ONNX file that somebody brings takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from tasks.common.errors import ParameterError
from tasks.graphs.foreign import refused


@dataclass(frozen=True)
class Interface:
    """What a file takes: channels, and whether they come before height and width."""

    name: str
    channels: int
    channels_first: bool


def interface_of(path: Path, model: ModelProto, size: Sequence[int], channels: int) -> Interface:
    """What the graph of a file takes, once it suits images of that size and so many channels.

    Raises:
        WeightsError: it has not one float32 input of images and one float32 output.
        ParameterError: it takes images of another size, or grey ones alone.
    """
    own = inputs(model.graph)
    for what, infos in (("input", own), ("output", list(model.graph.output))):
        _require_one_float(path, what, infos)
    shape = _shape(own[0])
    if len(shape) != 4 or not {shape[1], shape[3]} & {1, 3}:
        required = "an input (N, C, H, W) or (N, H, W, C) of 1 or 3 channels"
        raise refused(path, required, f"{own[0].name} of {list(shape)}, 0 for any")
    first = shape[1] in (1, 3)
    found = Interface(own[0].name, shape[1 if first else 3], first)
    _require_size(path, shape[2:4] if first else shape[1:3], size)
    if found.channels < channels:
        raise ParameterError(
            f"preprocess.color: required grey, for {path} takes one channel; received rgb"
        )
    return found


def inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that are no constants: old files list these too."""
    constants = {constant.name for constant in graph.initializer}
    return [info for info in graph.input if info.name not in constants]


def _require_one_float(path: Path, what: str, infos: Sequence[ValueInfoProto]) -> None:
    if len(infos) != 1:
        names = ", ".join(info.name for info in infos)
        raise refused(path, f"one {what}", f"{len(infos)} ({names})")
    kind = infos[0].type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        raise refused(path, f"a float32 {what}", f"{TensorProto.DataType.Name(kind)}")


def _require_size(path: Path, taken: Sequence[int], size: Sequence[int]) -> None:
    """Where the file leaves a side open (0), any will do."""
    if any(side and side != given for side, given in zip(taken, size, strict=True)):
        raise ParameterError(
            f"preprocess.size: required {list(taken)}, which {path} takes; received "
            f"{list(size)}. Set it, or export the file with another or a dynamic size"
        )


def _shape(info: ValueInfoProto) -> tuple[int, ...]:
    """The sizes of a value's axes; 0: any."""
    return tuple(int(axis.dim_value) for axis in info.type.tensor_type.shape.dim)
