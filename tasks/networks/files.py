"""Model files whose bytes repeat."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from tasks.common import documents
from tasks.common.errors import TrainingError
from tasks.networks import (
    device,
    extracting,  # noqa: F401 - a saved network may hold its layer
)

DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can name
FLEETING = {"date_saved", "shared_object_id"}


def save(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file: the same model gives the same bytes, for no date is kept."""

    def write(draft: Path) -> None:
        with tempfile.TemporaryDirectory(dir=draft.parent) as folder:
            dated = Path(folder) / "dated.keras"  # Keras takes no other ending
            model.save(dated)
            _without_dates(dated, draft)

    documents.replace(path, write)


@contextmanager
def writing() -> Iterator[None]:
    """Write what was trained; an error says that the training is not lost.

    Raises:
        TrainingError: the disk is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]
        raise TrainingError(
            f"required: a disk that takes what was trained; received: {reason}. Free space or fix "
            "the rights in this folder, then run again: nothing is trained twice"
        ) from error


def load(path: Path) -> keras.Model:
    """Read a `.keras` file; the model is not compiled."""
    return keras.saving.load_model(path, compile=False)


def handed_on(model: keras.Model, seed: int) -> keras.Model:
    """A network as the next stage finds it: saved, and loaded once the seed is set, which decides
    what dropout draws.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        save(model, path)
        keras.utils.set_random_seed(seed)
        with device.scope():
            return load(path)


def _without_dates(dated: Path, target: Path) -> None:
    with zipfile.ZipFile(dated) as source, zipfile.ZipFile(target, "w") as archive:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name.endswith(".json"):
                content = json.dumps(_repeatable(json.loads(content))).encode()
            archive.writestr(zipfile.ZipInfo(name, DATE), content)


def _repeatable(value: Any) -> Any:
    """A JSON value without the save date and without `shared_object_id`, a memory address."""
    if isinstance(value, list):
        return [_repeatable(item) for item in value]
    if isinstance(value, dict):
        return {key: _repeatable(item) for key, item in value.items() if key not in FLEETING}
    return value
