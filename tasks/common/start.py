"""The version that training starts from, as `python -m tasks.start` leaves it in `data/start`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal
from zipfile import BadZipFile

from pydantic import BaseModel, ConfigDict

from tasks.common import digests, paths
from tasks.common.documents import read_json
from tasks.common.errors import LeakError, ParameterError, TrainingError
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task

if TYPE_CHECKING:
    import pandas as pd

Wanted = Literal["champion"] | int
FETCH = "`python -m tasks.start` brings it, and `make retrain` too"
INSTEAD = "Name another version in train.start, or leave it empty to start afresh"
AFTER = {"train": ("val", "test"), "val": ("test",)}  # sides that must have taught nothing


class Start(BaseModel):
    """A version whose weights training goes on from.

    Attributes:
        digest: of its Keras model.
        images: `train` and `val` -> ids of those that it has learnt from, and that chose its
            epoch; those of the versions that it started from itself are among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model_name: str
    version: int
    digest: str
    task: Task
    backbone: str
    pixels: PixelSettings
    images: dict[str, list[str]]

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.model_name} version {self.version}"

    def told(self) -> dict[str, Any]:
        """Which version it is, for records."""
        return self.model_dump(include={"model_name", "version", "digest"})


def read(wanted: Wanted) -> Start:
    """What was fetched, its model held to its digest.

    Raises:
        TrainingError: nothing was, another version, or it is damaged.
    """
    asked = f"required: what train.start names ({wanted}) in {paths.STARTED_FROM.folder}"
    if not paths.START_FACTS.exists():
        raise TrainingError(f"{asked}; received: nothing. {FETCH}")
    try:
        found = Start.model_validate(read_json(paths.START_FACTS))
        whole = digests.of_model(paths.START_MODEL) == found.digest
    except (OSError, ValueError, KeyError, BadZipFile):
        whole = False
    if not whole:
        raise TrainingError(f"{asked}; received: damaged files. {FETCH} anew")
    if wanted not in ("champion", found.version):
        raise TrainingError(f"{asked}; received: {found.name}. {FETCH}")
    return found


def require_suits(found: Start, task: Task, backbone: str, pixels: PixelSettings) -> None:
    """Hold a version to what is to be trained.

    Raises:
        ParameterError: it was made for another task, backbone or pixels.
    """
    asked = {"task": task, "model.backbone": backbone, "preprocess": pixels.plain()}
    has = {"task": found.task, "model.backbone": found.backbone, "preprocess": found.pixels.plain()}
    if differing := list(_differing(asked, has)):
        raise ParameterError(
            f"required: a start that was made for {'; '.join(asked for asked, _ in differing)} "
            f"(params.yaml); received: {found.name}, made for "
            f"{'; '.join(has for _, has in differing)}. {INSTEAD}"
        )


def _differing(asked: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in asked.items():
        if has[name] != value:
            yield f"{name} {value}", f"{name} {has[name]}"


def require_no_leak(found: Start, manifest: pd.DataFrame) -> None:
    """Hold a version to the split.

    Raises:
        LeakError: it has learnt from images that are now val or test, or that are now test have
            chosen its epoch.
    """
    leaks = {
        (learnt, side): int((manifest["split"].eq(side) & manifest["image_id"].isin(ids)).sum())
        for learnt, sides in AFTER.items()
        for side in sides
        for ids in [found.images[learnt]]
    }
    told = [f"{n:,} that were its {was} are {now}" for (was, now), n in leaks.items() if n]
    if told:
        raise LeakError(
            "required: a start that has learnt from none of the images of val and test; received: "
            f"{found.name}, of whose images {' and '.join(told)} now. {INSTEAD}"
        )
