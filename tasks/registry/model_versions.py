"""Versions of the registered model: one a model, found by the digest of config and weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common import digests, paths

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
DIGEST = "model.digest"


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


def download(version: ModelVersion, folder: Path) -> Path:
    """Copy the packaged model of a version into `folder`."""
    import mlflow

    uri = f"models:/{version.name}/{version.version}"
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))


def packaged_digest(package: Path) -> str:
    """The digest of the network in a packaged model: what it is, whatever its tags say."""
    return digests.of_model(package / "artifacts" / paths.MODEL.name)
