"""Versions of the registered model: one per package, found by its digest.

Versions of before hold a Keras model, and go by the digest of its config and weights.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tasks.common import digests, paths
from tasks.common.errors import RegistryError
from tasks.registry import failures
from tasks.serving import packing

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
PACKAGE, NETWORK = "package.digest", "model.digest"  # tags of runs and of versions


@dataclass(frozen=True)
class Package:
    """A packaged model on disk, and its true digest, whatever the version's tags say."""

    folder: Path
    digest: str


def every(client: MlflowClient, name: str) -> list[ModelVersion]:
    """The versions of a registered model, newest first; none where the model is not registered."""
    found = client.search_model_versions(f"name = '{name}'")
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def of_digest(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    """The version of a model, if it is registered."""
    return next((v for v in every(client, name) if digest_in(v.tags) == digest), None)


def digest_in(tags: Mapping[str, str]) -> str:
    """What tags say that a version, or the model of a run, is: its package, or for one of before
    its network; empty if nothing.
    """
    return tags.get(PACKAGE) or tags.get(NETWORK) or ""


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


def true_digest(version: ModelVersion) -> str:
    """The digest of the package that the version really is, whatever its tag says.

    Raises:
        RegistryError: its files are gone or damaged.
    """
    with tempfile.TemporaryDirectory() as folder:
        return unpack(version, Path(folder), "Promote another version").digest


def digest(version: ModelVersion) -> str:
    """What the version was registered as, by its tag: anybody can edit it."""
    return digest_in(version.tags)


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
        return Package(package, _digest(package))
    except (MlflowException, OSError, BadZipFile, KeyError, YAMLError) as error:
        raise RegistryError(
            f"required: the files of {version.name} version {version.version}; received: "
            f"{failures.reason(error)}. {advice}"
        ) from error


def _digest(package: Path) -> str:
    """What the files say. Compiled code is no part of a package: it is removed from the copy, and
    so never run.
    """
    keras = package / "artifacts" / paths.MODEL.name
    if keras.exists():
        return digests.of_model(keras)
    serving, code, loader = loads(package)
    for compiled in list(code.rglob("__pycache__")):
        shutil.rmtree(compiled)
    return packing.digest(serving, code, loader)


def loads(package: Path) -> tuple[Path, Path, str]:
    """What MLflow loads of a package on disk: the folder of its files, that of its code, and the
    module in it.

    Raises:
        KeyError: it is of before packages.
    """
    said = YAML(typ="safe").load(package / "MLmodel")["flavors"]["python_function"]
    return package / said["data"], package / said["code"], said["loader_module"]
