"""Fetches the version that training is to start from, as files that DVC versions."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from mlflow.exceptions import MlflowException

from tasks.common import digests, paths, start
from tasks.common.documents import fresh_folder, read_json, write_json
from tasks.common.errors import ParameterError, PrivacyError, RegistryError, TrainingError
from tasks.common.params.loading import load
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.start import INSTEAD, Start
from tasks.intake import cohort, data_versions
from tasks.intake.file_ids import Files, file_of
from tasks.privacy.pseudonyms import Pseudonyms, load_key
from tasks.registry import cases, failures, ledger, model_versions, permission, serving
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from tasks.common.params.whole import Params


class _Network(Part):
    backbone: str


class _MadeFor(Part):
    """What a run's `params.yaml` says of its network."""

    task: Task
    model: _Network
    preprocess: PixelSettings


@in_one_line()
def fetch(settings: Params) -> Start:
    """Bring the version that `train.start` names into `data/start`, unless it lies there.

    Raises:
        RegistryError: there is none, it may not serve, or its run has not all that is needed.
        PrivacyError: it has learnt from an image that was withdrawn.
    """
    client, wanted = connect(), settings.train.start
    version = serving.find(client, settings.publish.model_name, str(wanted))
    if wanted is None or version is None:
        raise RegistryError(
            f"required: a version of {settings.publish.model_name!r} to start from (train.start: "
            f"{wanted}); received: none. {INSTEAD}"
        )
    _require_permission(version)
    with tempfile.TemporaryDirectory() as folder:
        model, found = _of_run(client, version, Path(folder))
        require_nobody_withdrawn(found, settings)
        if not _lies_there(found):
            place(model, found, paths.STARTED_FROM.folder)
    data_versions.save(paths.STARTED_FROM)
    if data_versions.has_remote():
        data_versions.push(paths.STARTED_FROM)
    return found


def bring(client: MlflowClient, version: ModelVersion, folder: Path) -> None:
    """Put the start that a version is into a folder, as `fetch` does; errors as there."""
    with tempfile.TemporaryDirectory() as drafts:
        place(*_of_run(client, version, Path(drafts)), folder)


def place(model: Path, found: Start, folder: Path) -> None:
    """Write what the stages read; the facts last, which say that all is there."""
    fresh_folder(folder)
    shutil.copyfile(model, folder / paths.START_MODEL.name)
    write_json(folder / paths.START_FACTS.name, found.model_dump(mode="json"))


def clear() -> bool:
    """Remove what was fetched; whether anything was."""
    there = paths.STARTED_FROM.folder.exists() or paths.STARTED_FROM.version.exists()
    shutil.rmtree(paths.STARTED_FROM.folder, ignore_errors=True)
    paths.STARTED_FROM.version.unlink(missing_ok=True)
    return there


def require_nobody_withdrawn(found: Start, settings: Params) -> None:
    """Errors as in `fetch`: what was learnt from somebody would live on in later versions."""
    withdrawn = cohort.read_all_withdrawn(settings.deid.key_id)
    if not withdrawn:
        return
    ids = {file for files in withdrawn.values() for file in files}
    gone = Files(ids, Pseudonyms(load_key(settings)))
    learnt = {file_of(image) for images in found.images.values() for image in images}
    if count := sum(file in gone for file in learnt):
        raise PrivacyError(
            f"required: a start that has learnt from nobody who was withdrawn; received: "
            f"{found.name}, which has from {count:,} withdrawn files. {INSTEAD}"
        )


def _require_permission(version: ModelVersion) -> None:
    digest = model_versions.true_digest(version)
    identity = version.name, int(version.version), digest
    if why := permission.refusal(ledger.read(), identity, "", ()):
        raise RegistryError(
            f"required: a start that may serve; received: {version.name} version "
            f"{version.version}: {why}. {INSTEAD}"
        )


def _of_run(client: MlflowClient, version: ModelVersion, folder: Path) -> tuple[Path, Start]:
    """The Keras model that the run of a version holds, copied into `folder`, and its facts."""
    try:
        model, params, images = (
            Path(client.download_artifacts(str(version.run_id), str(file), str(folder)))
            for file in (paths.MODEL, paths.PARAMS, cases.IMAGES_FILE)
        )
        made_for, digest = load(_MadeFor, params), digests.of_model(model)
        learnt = cases.learnt_from(read_json(images))
    except (MlflowException, OSError, ValueError, KeyError, BadZipFile, ParameterError) as error:
        client.search_experiments(max_results=1)  # it may be the store that is gone: that raises
        raise RegistryError(
            f"required: the Keras model, parameters and list of images in the run of "
            f"{version.name} version {version.version}; received: {failures.reason(error)}. "
            f"Versions of before packages have them not, nor deleted runs. {INSTEAD}"
        ) from error
    if digest != version.tags.get(model_versions.NETWORK):
        raise RegistryError(
            f"required: the Keras model that {version.name} version {version.version} was "
            f"registered with; received: another, the file in its run or the version's tag "
            f"{model_versions.NETWORK} was changed. {INSTEAD}"
        )
    return model, Start(
        model_name=version.name,
        version=int(version.version),
        digest=digest,
        task=made_for.task,
        backbone=made_for.model.backbone,
        pixels=made_for.preprocess,
        images={side: sorted(ids) for side, ids in learnt.items()},
    )


def _lies_there(found: Start) -> bool:
    try:
        return start.read(found.version) == found
    except TrainingError:
        return False
