"""A version that may be asked about images: the ledger says which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common.errors import RegistryError
from tasks.registry import ledger, model_versions
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from tasks.registry.model_versions import Package


@in_one_line()
def package(name: str, wanted: str, folder: Path, unpassed: bool = False) -> tuple[int, Package]:
    """Copy the package of a version into `folder`; its number, and the copy.

    Args:
        name: of the registered model.
        wanted: the version's number, or an alias.
        folder: an empty one.
        unpassed: take one that the gate has not passed.

    Raises:
        RegistryError: there is no such version, its files are gone, or it may not answer.
    """
    version = _find(connect(), name, wanted)
    if version is None:
        raise RegistryError(
            f"required: a version of {name!r} with the number or alias {wanted}; received: none. "
            "`python -m flows.promote VERSION` makes one that passed the champion"
        )
    number = int(version.version)
    found = model_versions.unpack(version, folder, "Take another version")
    if not unpassed:
        _require_passed(name, number, found.digest)
    return number, found


def _find(client: MlflowClient, name: str, wanted: str) -> ModelVersion | None:
    if not wanted.isdecimal():
        return model_versions.of_alias(client, name, wanted)
    versions = model_versions.every(client, name)
    return next((v for v in versions if int(v.version) == int(wanted)), None)


def _require_passed(name: str, number: int, digest: str) -> None:
    verdict = ledger.verdict(ledger.read(), name, number, digest)
    if verdict is None or verdict.kind not in ledger.PASSED:
        said = "nothing about it" if verdict is None else "; ".join(verdict.facts["reasons"])
        raise RegistryError(
            f"required: a version that passed the gate; received: version {number}, of which the "
            f"ledger says: {said}. --version names another, --unpassed takes this one all the same"
        )
