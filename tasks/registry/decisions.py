"""What a person decides beside a promotion: who agrees to one, and which version is the reference.

Both are entries of the ledger, and nothing else moves.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from tasks.common.errors import RegistryError
from tasks.registry import heads, ledger, model_versions, permission
from tasks.registry.failures import in_one_line
from tasks.registry.promotion import Said
from tasks.registry.store import connect


def approve(name: str, number: int, said: Said, approvers: Collection[str]) -> None:
    """Enter that a person agrees to the promotion of a version.

    Raises:
        RegistryError: the person is none of the approvers, or started the training; or there is
            no such version, or it failed.
    """
    with in_one_line(), ledger.locked("an approval"):
        client = connect()
        version = model_versions.required(client, name, number)
        identity = (name, number, model_versions.true_digest(version))
        _hold_to_list(said.by, approvers, _trained_by(client, version))
        permission.require(identity, said.reason or "to be promoted", ())
        ledger.append(ledger.APPROVED, *identity, asdict(said))
        heads.copy(client, version)
        print(f"{name} version {number}: {said.by} agrees to its promotion")


def refer(name: str, number: int, said: Said) -> None:
    """Make a version the reference that challengers are held to beside the champion.

    Raises:
        RegistryError: no reason is given, there is no such version, or it may not serve.
    """
    if not said.reason:
        raise RegistryError(
            "required: --reason, for the reference bounds how far quality slides; received: none"
        )
    with in_one_line(), ledger.locked("the naming of a reference"):
        client = connect()
        version = model_versions.required(client, name, number)
        identity = (name, number, model_versions.true_digest(version))
        permission.require(identity, said.reason, ())
        before = ledger.reference(ledger.read(), name)
        was = None if before is None else before.version
        facts = {"before": was, "run_id": model_versions.run_of(version)} | asdict(said)
        ledger.append(ledger.REFERENCE, *identity, facts)
        heads.copy(client, version)
        print(f"{name} version {number} is the reference now; before: {was or 'none'}")


def _hold_to_list(by: str, approvers: Collection[str], trained_by: str) -> None:
    listed = ", ".join(approvers) or "none"
    if by not in approvers:
        raise RegistryError(
            f"required: --by with a name of gate.approvers ({listed}); received: {by or 'none'}"
        )
    if by == trained_by:
        raise RegistryError(
            f"required: the approval of another than who started the training; received: {by}"
        )


def _trained_by(client: MlflowClient, version: ModelVersion) -> str:
    """Who started the training, as MLflow noted the user of that machine."""
    return str(client.get_run(str(version.run_id)).data.tags.get("mlflow.user", ""))
