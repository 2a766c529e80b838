"""Versions of the registered model: one per model, found by the digest of config and weights."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from tasks.common import digests, documents, paths
from tasks.common.errors import RegistryError
from tasks.registry import failures
from tasks.statistics.operating_point import OperatingPoint

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
DIGEST = "model.digest"


@dataclass(frozen=True)
class Package:
    """A packaged model on disk, and the digest of its network, whatever the version's tags say."""

    folder: Path
    digest: str

    def operating_point(self) -> OperatingPoint:
        """What turns its scores into predictions."""
        point = documents.read_json(self.folder / "artifacts" / paths.OPERATING_POINT.name)
        return OperatingPoint(**point)


def every(client: MlflowClient, name: str) -> list[ModelVersion]:
    """The versions of a registered model, newest first; none where the model is not registered."""
    found = client.search_model_versions(f"name = '{name}'")
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def of_digest(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    """The version of a model, if it is registered."""
    return next((v for v in every(client, name) if v.tags.get(DIGEST) == digest), None)


def of_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version that an alias points to, if it points to one."""
    if not every(client, name):
        return None
    version = client.get_registered_model(name).aliases.get(alias)
    return None if version is None else client.get_model_version(name, str(version))


def required(client: MlflowClient, name: str, number: int | None) -> ModelVersion:
    """A version by its number, or the challenger.

    Raises:
        RegistryError: there is none.
    """
    if number is None:
        version = of_alias(client, name, CHALLENGER)
        asked = f"a version of {name!r} with the alias {CHALLENGER}"
    else:
        version = next((v for v in every(client, name) if int(v.version) == number), None)
        asked = f"version {number} of {name!r}"
    if version is None:
        raise RegistryError(
            f"required: {asked}; received: none. `python -m tasks.gate` judges the newest model, "
            "and MLflow lists all versions"
        )
    return version


def run_of(version: ModelVersion) -> str:
    """The run that a version points to: that of the newest result with its model."""
    return str(version.tags.get("run_id", version.run_id))


def of_workspace() -> str:
    """The digest of the model that this workspace has made: what tells versions apart."""
    return digests.of_model(paths.MODEL)


def true_digest(version: ModelVersion) -> str:
    """The digest of the network that the version really holds, whatever its tag says.

    Raises:
        RegistryError: its files are gone or damaged.
    """
    with tempfile.TemporaryDirectory() as folder:
        return unpack(version, Path(folder), "Promote another version").digest


def digest(version: ModelVersion) -> str:
    """What the version was registered as, by its tag: anybody can edit it."""
    return str(version.tags.get(DIGEST, ""))


def download(version: ModelVersion, folder: Path) -> Path:
    """Copy the packaged model of a version into `folder`."""
    import mlflow

    uri = f"models:/{version.name}/{version.version}"
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))


def unpack(version: ModelVersion, folder: Path, advice: str) -> Package:
    """Copy the packaged model of a version into `folder`.

    Raises:
        RegistryError: its files are gone or damaged; the message ends in `advice`.
    """
    from mlflow import MlflowException

    try:
        package = download(version, folder)
        return Package(package, digests.of_model(package / "artifacts" / paths.MODEL.name))
    except (MlflowException, OSError, BadZipFile, KeyError) as error:
        raise RegistryError(
            f"required: the files of {version.name} version {version.version}; received: "
            f"{failures.reason(error)}. {advice}"
        ) from error
