"""What MLflow holds of given images: versions that learned from them, runs that picture them."""

from __future__ import annotations

import tempfile
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common import documents, paths
from tasks.common.manifest import SPLITS
from tasks.intake.file_ids import file_of
from tasks.registry import cases, live_runs, model_versions, sqlite_file
from tasks.registry.failures import in_one_line
from tasks.registry.store import Store, open_experiment

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from tasks.common.params.whole import Params

PICTURES = (paths.EXPLAIN, paths.AUDIT, paths.CONTACT_SHEET, paths.REPORT, paths.VERDICT)
Counts = Mapping[str, int]  # split -> how many of the images


def describe(params: Params, images: Container[str]) -> list[str]:
    """Lines that name versions and runs, and say how to delete them; `images` are ids of
    files.

    Raises:
        RegistryError: the store does not answer.
    """
    path = sqlite_file.of_uri(paths.tracking_uri())
    if path is not None and not path.exists():
        return ["no MLflow store here, so no run and no version holds them"]
    with in_one_line():
        store = open_experiment(params.publish.experiment)
        runs = [run for run in live_runs.search(store, {}) if live_runs.RESULT in run.data.tags]
        found = {run.info.run_id: _counts(store, run, images) for run in runs}
        models = model_versions.every(store.client, params.publish.model_name)
        lines = [_about_version(model, runs, found) for model in reversed(models)]
    return [*(line for line in lines if line), *_about_runs(runs, found)] or [
        "no run and no version of MLflow holds them"
    ]


def _counts(store: Store, run: Run, images: Container[str]) -> Counts | None:
    """How many of the images are in each split of a run; None where it does not say."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            file = store.client.download_artifacts(run.info.run_id, cases.IMAGES_FILE, folder)
        except (MlflowException, OSError):
            return None
        named = documents.read_json(Path(file))
    split_of = {split: named[split] for split in SPLITS} | cases.learnt_from(named)
    files = {split: {file_of(image) for image in split_of[split]} for split in SPLITS}
    return {split: sum(file in images for file in files[split]) for split in SPLITS}


def _about_version(
    version: ModelVersion, runs: list[Run], found: Mapping[str, Counts | None]
) -> str:
    """What a version saw, in any of the runs that made this very model."""
    digest = model_versions.digest_in(version.tags)
    mine = [run.info.run_id for run in runs if model_versions.digest_in(run.data.tags) == digest]
    counts = [counted for run_id in mine if (counted := found[run_id]) is not None]
    name = f"{version.name} version {version.version}"
    if not counts:
        return f"{name}: its run does not say which images it saw"
    most = {split: max(counted[split] for counted in counts) for split in SPLITS}
    if not any(most.values()):
        return ""
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    return (
        f"{name}{aliases}: trained on {most['train']:,} of these files, validated on "
        f"{most['val']:,}, tested on {most['test']:,}"
    )


def _about_runs(runs: list[Run], found: Mapping[str, Counts | None]) -> list[str]:
    holding = [run.info.run_id for run in runs if any((found[run.info.run_id] or {}).values())]
    if not holding:
        return []
    pictures = ", ".join(str(path) for path in PICTURES)
    return [
        f"these runs hold pictures that may show the patient ({pictures}): look, and delete them "
        "with `mlflow runs delete --run-id <run>` and `mlflow gc`, once a model that was not "
        "trained on the patient is champion:",
        *(f"  {run_id}" for run_id in holding),
    ]
