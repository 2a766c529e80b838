"""Alias and ledger agree: a promotion done in the browser is entered, or put back.

MLflow lets anybody move the alias, and does not tell who did. Whoever looks, every flow and command
and `make server`, enters such a promotion where the version may serve, and else gives the alias
back to the champion of the ledger and says on the version why.
"""

from __future__ import annotations

from collections.abc import Collection

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from tasks.common.errors import RegistryError
from tasks.registry import heads, ledger, model_versions, permission
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect

SEEN = {"by": "", "reason": "", "where": "MLflow, which does not tell by whom"}
PUT_BACK = "promotion.refused"  # the tag of a version that had the alias and must not


def watch(name: str, approvers: Collection[str]) -> None:
    """Look once, as a command of its own.

    Raises:
        RegistryError: the ledger or the store cannot be read.
    """
    with in_one_line(), ledger.locked("a look at the alias"):
        look(connect(), name, approvers)


def look(client: MlflowClient, name: str, approvers: Collection[str]) -> None:
    """Make alias and ledger agree. Needs the ledger's lock.

    Raises:
        RegistryError: the ledger is broken, or is another than its copies know.
    """
    heads.hold(client, name)
    _settle(client, name)
    version = model_versions.of_alias(client, name, model_versions.CHAMPION)
    entered = ledger.champion(ledger.read(), name)
    if version is None or (entered is not None and int(version.version) == entered.version):
        return
    if not any(entry.model_name == name for entry in ledger.read()):
        print(f"The ledger here knows nothing of {name}: its alias champion stays where it is")
        return
    digest, why = _true_digest(version)
    identity = (name, int(version.version), digest)
    why = why or permission.refusal(ledger.read(), identity, "", approvers)
    if why:
        _put_back(client, version, entered, why)
    else:
        _enter(client, version, digest, entered)


def _settle(client: MlflowClient, name: str) -> None:
    """Enter what became of a promotion that ended between its first entry and its last."""
    intent = ledger.unsettled(ledger.read(), name)
    if intent is None:
        return
    champion = model_versions.of_alias(client, name, model_versions.CHAMPION)
    moved = champion is not None and int(champion.version) == intent.version
    ledger.end(intent, "promoted" if moved else "abandoned")
    print(
        f"The promotion of version {intent.version} that began at {intent.time} was interrupted: "
        + ("the alias had moved" if moved else "the alias had not moved, so nothing was promoted")
    )


def _true_digest(version: ModelVersion) -> tuple[str, str]:
    """The digest of what the version holds, and why it has none."""
    try:
        return model_versions.true_digest(version), ""
    except RegistryError as error:
        return model_versions.digest(version), str(error)


def _enter(
    client: MlflowClient, version: ModelVersion, digest: str, before: ledger.Entry | None
) -> None:
    facts = {"champion": None if before is None else before.version} | SEEN
    ledger.append("promoted", version.name, int(version.version), digest, facts)
    heads.copy(client, version)
    print(f"{version.name} version {version.version} was promoted in MLflow: entered")


def _put_back(
    client: MlflowClient, version: ModelVersion, entered: ledger.Entry | None, why: str
) -> None:
    """The entry first: what it says is true already."""
    to = None if entered is None else entered.version
    identity = (version.name, int(version.version), model_versions.digest(version))
    ledger.append(ledger.REFUSED, *identity, {"champion": to, "reasons": [why]})
    client.set_model_version_tag(version.name, version.version, PUT_BACK, why)
    if to is None or not _stands(client, version.name, to):
        client.delete_registered_model_alias(version.name, model_versions.CHAMPION)
        done = "taken away, for there is no champion to give it to"
    else:
        client.set_registered_model_alias(version.name, model_versions.CHAMPION, str(to))
        done = f"given back to version {to}"
    heads.copy(client, version)
    print(
        f"The alias champion was on {version.name} version {version.version}, of which the ledger "
        f"says: {why}. It was {done}"
    )


def _stands(client: MlflowClient, name: str, number: int) -> bool:
    return any(int(version.version) == number for version in model_versions.every(client, name))
