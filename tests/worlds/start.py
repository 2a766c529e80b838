"""What `python -m tasks.start` leaves."""

from __future__ import annotations

import shutil
from pathlib import Path

from tasks.common import digests, documents, paths
from tasks.common.params.loading import load
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.start import Start


class Settings(Part):
    task: Task
    preprocess: PixelSettings


def put(model: Path, version: int, train=(), val=(), backbone="EfficientNetLite0") -> Start:
    """Let a model be the version that training starts from, made for the parameters of now."""
    settings = load(Settings)
    found = Start(
        model_name="medloop",
        version=version,
        digest=digests.of_model(model),
        task=settings.task,
        backbone=backbone,
        pixels=settings.preprocess,
        images={"train": list(train), "val": list(val)},
    )
    paths.START_MODEL.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model, paths.START_MODEL)
    documents.write_json(paths.START_FACTS, found.model_dump(mode="json"))
    return found
