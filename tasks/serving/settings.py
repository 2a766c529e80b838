"""What lies beside the ONNX files that serve: written by the stage `compress`, read by whoever
serves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tasks.common.documents import read_json, write_json
from tasks.statistics.operating_point import OperatingPoint

NAME = "serving.json"
FLOAT, INT8 = "float.onnx", "int8.onnx"


@dataclass(frozen=True)
class File:
    """What was fitted on val for one ONNX file.

    Attributes:
        temperature: which the file has inside.
        point: the operating point, in terms of its calibrated scores.
        least_scores: answer -> the score from which it is in the conformal set.
        fingerprint: what the file said of `probe.images` where it was made.
        shifts: of the logits, of each output, in the file too; files made before have none.
    """

    temperature: float
    point: OperatingPoint
    least_scores: dict[str, float]
    fingerprint: list[float]
    shifts: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    """Task and pixels as `params.yaml` has them, the file that serves, and all files by name: the
    float one is always there.
    """

    task: dict[str, Any]
    preprocess: dict[str, Any]
    serves: str
    files: dict[str, File]


def write(folder: Path, settings: Settings) -> None:
    """Put them beside the files."""
    write_json(folder / NAME, asdict(settings))


def read(folder: Path) -> Settings:
    """What `write` wrote."""
    values = read_json(folder / NAME)
    files = {name: _file(entry) for name, entry in values.pop("files").items()}
    return Settings(**values, files=files)


def _file(entry: dict[str, Any]) -> File:
    return File(**entry | {"point": OperatingPoint(**entry["point"])})
