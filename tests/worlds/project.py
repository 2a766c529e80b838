"""Tiny worlds: what the tests of several rooms build for themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.common import editing, paths

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "pull.phantom.patients": 54,
    "preprocess.size": [64, 64],
    "split.val": 0.15,
    "split.test": 0.45,  # a gate judges from ten patients with the finding and ten without
    "validate.min_images_per_class": 1,
    "train.epochs": 4,
    "train.learning_rate": 1.0e-3,
    "fine_tune.epochs": 1,
    "compress.calibration_images": 8,
    "compress.max_auroc_drop": 1.0,  # so few images of val show nothing; int8 is then made once
    "compress.max_changed": 1.0,
    "explain.examples": 1,
    **{f"gate.floors.{name}": 0.0 for name in ("auroc", "sensitivity", "specificity")},
    **{f"gate.floors.slice_{name}": 0.0 for name in ("auroc", "sensitivity")},
    "gate.floors.calibration_error": 1.0,
    "gate.floors.parity": 1.0,
}


def environment(**extra: str) -> dict[str, str]:
    """The environment of a person who has activated the project's `.venv` and set nothing else."""
    ours = ("MEDLOOP_", "DVC_", "MLFLOW_", "PREFECT_", "TF_", "KERAS_")  # JAX sets one of TF's
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    binaries = str(Path(sys.executable).parent)
    return inherited | {
        "PATH": os.pathsep.join([binaries, inherited["PATH"]]),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Test",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "test@example.org",
        **extra,
    }


def run(
    *command: str, cwd: Path, check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in `cwd` and return what it printed; its output is in the error if it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=environment(**extra), capture_output=True, text=True, check=False
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def dvc(project: Path, *arguments: str) -> str:
    """What a command of DVC's prints in a project."""
    return run(sys.executable, "-m", "dvc", *arguments, cwd=project).stdout


def make_project(folder: Path, **settings: object) -> Path:
    """A clone of the project, as small as it gets: the code as it stands, committed anew."""
    folder.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("tasks", "flows", "gx", ".dvc"):
        shutil.copytree(
            ROOT / name,
            folder / name,
            ignore=ignore if name != ".dvc" else shutil.ignore_patterns("cache", "tmp"),
        )
    for place in (paths.EXTERNAL, paths.START):
        (folder / place).mkdir(parents=True)
    files = ("dvc.yaml", "params.yaml", "prefect.yaml", ".gitignore", ".dvcignore")
    (folder / paths.OWNER).parent.mkdir()
    kept = (paths.EXTERNAL / "README.md", paths.START / "README.md", paths.OWNER)
    for name in (*files, *kept):
        shutil.copy(ROOT / name, folder / name)
    editing.set_values(folder / "params.yaml", SMALL | settings)
    run("git", "init", "-q", cwd=folder)
    run("git", "add", "-A", cwd=folder)
    run("git", "commit", "-qm", "the project", cwd=folder)
    return folder


def store(project: Path) -> Any:
    """A client of the project's own MLflow store."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{project}/mlruns/mlflow.db"
    return MlflowClient(uri, uri)  # whatever registry another test has named


def finished(project: Path) -> list[Any]:
    """The finished runs of the project, newest first."""
    client = store(project)
    experiments = [found.experiment_id for found in client.search_experiments()]
    return list(client.search_runs(experiments, "attributes.status = 'FINISHED'"))


def versions(project: Path) -> list[Any]:
    """The versions of the project's registered model."""
    return list(store(project).search_model_versions("name = 'medloop'"))


def enter_workspace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an empty folder a workspace and the current one: with the project's own params.yaml and
    dvc.yaml, and nothing of another workspace in the environment.
    """
    for name in (paths.PARAMS, paths.DVC_YAML):
        shutil.copy(ROOT / name, folder / name)
    for variable in ("DVC_ROOT", "MEDLOOP_STATE", "MLFLOW_TRACKING_URI", "MEDLOOP_KEY_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(folder)
