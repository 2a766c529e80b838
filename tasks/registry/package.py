"""Logs the package of a result as an MLflow model, with what an environment for it needs."""

from __future__ import annotations

import sys
import warnings
from importlib import metadata
from typing import TYPE_CHECKING

import cv2
import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from tasks.common import closure, labels, paths
from tasks.serving import packing, probe

if TYPE_CHECKING:
    from tasks.common.params.task import Task

NAME = "model"
LOADER = "mlflow-skinny"  # it loads, serves and calls the model; the whole of MLflow is not needed
EXAMPLE_SIZE = 64  # pixels


def log_model(task: Task) -> str:
    """Log the model to the active run; return its id."""
    with warnings.catch_warnings():
        # MLflow 3.17 asks of the example what pandas 3.1 deprecates.
        warnings.filterwarnings("ignore", "Operation with range is deprecated")
        logged = mlflow.pyfunc.log_model(
            name=NAME,
            loader_module=packing.loader(paths.PACKAGE_CODE),
            data_path=str(paths.SERVING),
            code_paths=[str(path) for path in paths.PACKAGE_CODE.iterdir()],
            pip_requirements=requirements(),
            signature=signature(task),
            input_example=example(),
        )
    return str(logged.model_id)


def signature(task: Task) -> ModelSignature:
    """File bytes in; class, scores and what they leave open out, on request with a heatmap."""
    scores = [ColSpec("double", f"score_{name}") for name in labels.scored(task.kind, task.names)]
    heatmap = ColSpec(Array(Array(DataType.double)), "heatmap", required=False)
    prediction, conformal = (ColSpec("string", name) for name in ("prediction", "conformal_set"))
    return ModelSignature(
        Schema([ColSpec("binary", "image"), ColSpec("long", "frame", required=False)]),
        Schema([prediction, *scores, conformal, heatmap]),
        ParamSchema([ParamSpec("explain", DataType.string, "")]),
    )


def example() -> pd.DataFrame:
    """What the model is called with: a made picture that shows nobody."""
    picture = probe.images(EXAMPLE_SIZE, EXAMPLE_SIZE, 1)[1]
    return pd.DataFrame({"image": [cv2.imencode(".png", picture)[1].tobytes()]})


def requirements() -> list[str]:
    """What the package's code imports, and what loads it, at the versions that are here."""
    owners = metadata.packages_distributions()
    modules = closure.libraries(packing.ENTRY) - sys.stdlib_module_names
    packages = {owner for module in modules for owner in owners[module]} | {LOADER}
    return [f"{package}=={metadata.version(package)}" for package in sorted(packages)]
