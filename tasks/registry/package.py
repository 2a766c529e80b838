"""Packs network, operating point, calibration and the code that prepares images as one model."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from tasks.common import closure, labels, paths
from tasks.common.documents import write_json

if TYPE_CHECKING:
    from tasks.common.params.pixels import PixelSettings
    from tasks.common.params.task import Task

NAME = "model"
ENTRY = Path(__file__).resolve().with_name("pyfunc_model.py")
REQUIREMENTS = (
    "imagecodecs",
    "keras",
    "mlflow",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pydantic",
    "pydicom",
    "ruamel-yaml",
    "tensorflow",
)


def log_model(task: Task, preprocess: PixelSettings) -> str:
    """Log the model to the active run; return its id."""
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        folder = Path(temporary)
        settings = folder / "settings.json"
        chosen = {"task": task.model_dump(), "preprocess": preprocess.plain()}
        write_json(settings, chosen)
        warnings.filterwarnings("ignore", ".*An input example was not provided")
        logged = mlflow.pyfunc.log_model(
            name=NAME,
            python_model=str(ENTRY),
            artifacts={
                "model": str(paths.MODEL),
                "operating_point": str(paths.OPERATING_POINT),
                "calibration": str(paths.CALIBRATION),
                "settings": str(settings),
            },
            code_paths=[str(_copy_code(folder))],
            pip_requirements=[
                f"{package}=={metadata.version(package)}" for package in REQUIREMENTS
            ],
            signature=signature(task),
        )
    return str(logged.model_id)


def signature(task: Task) -> ModelSignature:
    """File bytes in, class and scores out."""
    scores = [ColSpec("double", f"score_{name}") for name in labels.scored(task.kind, task.names)]
    inputs = Schema([ColSpec("binary", "image"), ColSpec("long", "frame", required=False)])
    return ModelSignature(inputs, Schema([ColSpec("string", "prediction"), *scores]))


def code_files() -> list[Path]:
    """The modules that the packaged model runs, itself excluded."""
    return [file for file in closure.closure(f"tasks.registry.{ENTRY.stem}") if file != ENTRY]


def _copy_code(folder: Path) -> Path:
    for source in code_files():
        target = folder / closure.name_of(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return folder / "tasks"
