"""What a registered version answers on raw files, by its own packaged preprocessing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.common import labels, paths
from tasks.common.errors import RegistryError
from tasks.registry import QUIET
from tasks.statistics import Array
from tasks.statistics.scores import fault

SCRIPT = Path(__file__).with_name("score_version.py")
OURS = ("PYTHON", "MLFLOW_", "MEDLOOP_", "DVC_", "PREFECT_")


def score(package: Path, images: pd.DataFrame, classes: Sequence[str]) -> Array:
    """Score the images of manifest rows with a packaged model: `scores_in` of `ask`."""
    return scores_in(ask(package, images), classes, package.name)


def ask(package: Path, images: pd.DataFrame) -> pd.DataFrame:
    """What a packaged model answers, a row per image.

    Args:
        package: folder of the packaged model; intermediate files are written beside it.
        images: rows of the manifest.

    Raises:
        RegistryError: the model fails.
    """
    listing, answers = package.with_suffix(".json"), package.with_suffix(".parquet")
    listing.write_text(json.dumps(_listing(images)), encoding="utf-8")
    command = [sys.executable, "-I", str(SCRIPT), str(package), str(listing), str(answers)]
    done = subprocess.run(command, cwd=package.parent, env=_environment(), check=False)
    if done.returncode != 0:
        raise RegistryError(f"required: scores of {package.name}; its model failed, see above")
    return pd.read_parquet(answers)


def scores_in(answers: pd.DataFrame, classes: Sequence[str], name: str) -> Array:
    """The scores `(N, K)` in what a model answers.

    Args:
        answers: of `ask`.
        classes: the class behind each output that is wanted.
        name: of the package, for errors.

    Raises:
        RegistryError: the model does not score one of the classes, or gives scores that cannot be
            judged.
    """
    scores = _columns(answers, classes)
    if problem := fault(scores):
        raise RegistryError(
            f"required: scores of {name} that say something; received: {problem}. A model "
            "that answers so cannot be judged, and must not serve: train another"
        )
    return scores


def predictions_in(answers: pd.DataFrame, kind: str, classes: Sequence[str]) -> Array:
    """The predictions `(N, K)` in {0, 1} in what a model answers: by the operating point of the
    file that answered, which on another processor is another one.

    Args:
        answers: of `ask`.
        kind: of the task.
        classes: the class behind each output that is wanted.
    """
    chosen = [labels.names(prediction, kind) for prediction in answers["prediction"]]
    return np.array([[float(name in names) for name in classes] for names in chosen])


def _listing(images: pd.DataFrame) -> list[tuple[str, int]]:
    files = [paths.RAW.resolve() / path for path in images["path"]]
    if missing := [file for file in files if not file.exists()]:
        raise RegistryError(
            f"required: the test images in {paths.RAW}; missing: {len(missing)} of {len(files)}. "
            f"`dvc pull {paths.RAW_DVC}` or `dvc checkout` brings them"
        )
    frames = [image.partition("-")[2] for image in images["image_id"]]
    return [(str(file), int(n or -1)) for file, n in zip(files, frames, strict=True)]


def _columns(answers: pd.DataFrame, classes: Sequence[str]) -> Array:
    wanted = [f"score_{name}" for name in classes]
    if missing := [column for column in wanted if column not in answers]:
        raise RegistryError(
            f"required: {wanted}; the model does not give: {missing}. Models of another task "
            "cannot be compared: set publish.model_name in params.yaml to a new name"
        )
    return answers[wanted].to_numpy(float)


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return inherited | QUIET | {"TF_CPP_MIN_LOG_LEVEL": "3"}
