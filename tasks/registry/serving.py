"""What serves asks here: the package of a version, if the ledger lets it serve, ready to answer."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common.errors import RegistryError
from tasks.registry import ledger, model_versions, permission
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from tasks.registry.model_versions import Package
    from tasks.serving.classifier import Classifier


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
    version = find(connect(), name, wanted)
    if version is None:
        raise RegistryError(
            f"required: a version of {name!r} with the number or alias {wanted}; received: none. "
            "`python -m flows.promote VERSION` makes one that passed the champion"
        )
    number = int(version.version)
    found = model_versions.unpack(version, folder, "Take another version")
    if not unpassed and (
        why := permission.refusal(ledger.read(), (name, number, found.digest), "", ())
    ):
        raise RegistryError(
            f"required: a version that may serve; received: version {number}: {why}. --version "
            "names another, --unpassed takes this one all the same"
        )
    return number, found


def load(package: Path, threads: int = 0) -> Classifier:
    """The classifier of a version that `model_versions.unpack` copied, run by its own code: its
    `pixels` takes a file's bytes, its `answer` a batch of pixels. Many of them live in one process.

    Args:
        package: the folder.
        threads: of one answer; 0 are as many as there are cores.

    Raises:
        RegistryError: it is of before packages.
    """
    try:
        serving, code, loader = model_versions.loads(package)
    except KeyError:
        raise RegistryError(
            "required: a version that is an ONNX package; received: one of before, which needs "
            "TensorFlow. `dvc repro && python -m tasks.register` makes a version of today"
        ) from None
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))
    made: Classifier = importlib.import_module(loader).Classifier(serving, threads)
    return made


def find(client: MlflowClient, name: str, wanted: str) -> ModelVersion | None:
    """The version of a number or an alias, if there is one."""
    if not wanted.isdecimal():
        return model_versions.of_alias(client, name, wanted)
    versions = model_versions.every(client, name)
    return next((v for v in versions if int(v.version) == int(wanted)), None)
