"""Promote: `python -m tasks.promote [VERSION]` moves the alias `champion`.

Rolling back is the same: promote the version that was champion before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tasks.common.errors import RegistryError
from tasks.registry import ledger, model_versions
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect


def promote(name: str, number: int | None = None) -> int:
    """Make a version the champion; return its number.

    Args:
        name: of the registered model.
        number: of the version; None for the challenger.

    Raises:
        RegistryError: there is no such version, or the ledger does not say that it passed.
    """
    with in_one_line(), ledger.locked("a promotion"):
        client = connect()
        settle(client, name)
        return _promote(client, name, number)


def settle(client: MlflowClient, name: str) -> None:
    """Enter what became of a promotion that ended between its first entry and its last. Needs the
    ledger's lock.
    """
    intent = ledger.unsettled(ledger.read(), name)
    if intent is None:
        return
    champion = model_versions.of_alias(client, name, model_versions.CHAMPION)
    moved = champion is not None and int(champion.version) == intent.version
    _end(intent, "promoted" if moved else "abandoned")
    print(
        f"The promotion of version {intent.version} that began at {intent.time} was interrupted: "
        + ("the alias had moved" if moved else "the alias had not moved, so nothing was promoted")
    )


def _promote(client: MlflowClient, name: str, number: int | None) -> int:
    version = _find(client, name, number)
    champion = model_versions.of_alias(client, name, model_versions.CHAMPION)
    if champion is not None and champion.version == version.version:
        print(f"{name} version {version.version} is the champion already")
        return int(version.version)
    digest = _true_digest(version)
    _hold_to_ledger(version, digest)
    before = None if champion is None else int(champion.version)
    facts = {"champion": before}
    intent = ledger.append(ledger.INTENT, name, int(version.version), digest, facts)
    client.set_registered_model_alias(name, model_versions.CHAMPION, version.version)
    _end(intent, "promoted")
    print(f"{name} version {version.version} is the champion now; before: {before or 'none'}")
    return int(version.version)


def _end(intent: ledger.Entry, kind: str) -> None:
    facts = intent.facts | {"intent": intent.hash}
    ledger.append(kind, intent.model_name, intent.version, intent.model_digest, facts)


def _find(client: MlflowClient, name: str, number: int | None) -> ModelVersion:
    if number is None:
        version = model_versions.of_alias(client, name, model_versions.CHALLENGER)
        asked = f"a version of {name!r} with the alias {model_versions.CHALLENGER}"
    else:
        version = _numbered(client, name, number)
        asked = f"version {number} of {name!r}"
    if version is None:
        raise RegistryError(
            f"required: {asked}; received: none. `python -m tasks.gate` judges the "
            "newest model, and MLflow lists all versions"
        )
    return version


def _numbered(client: MlflowClient, name: str, number: int) -> ModelVersion | None:
    try:
        return client.get_model_version(name, str(number))
    except MlflowException:
        return None


def _true_digest(version: ModelVersion) -> str:
    """The digest of the package that the version really is: its tag can be edited."""
    with tempfile.TemporaryDirectory() as folder:
        return model_versions.unpack(version, Path(folder), "Promote another version").digest


def _hold_to_ledger(version: ModelVersion, digest: str) -> None:
    number = int(version.version)
    verdict = ledger.verdict(ledger.read(), version.name, number, digest)
    if verdict is None or verdict.kind not in ledger.PASSED:
        said = "nothing about it" if verdict is None else "; ".join(verdict.facts["reasons"])
        raise RegistryError(
            f"required: a version that passed the gate; received: version {number}, of which the "
            f"ledger says: {said}. Only a version that passed becomes champion"
        )
