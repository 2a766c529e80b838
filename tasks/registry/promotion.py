"""Promote: move the alias `champion`, with an entry of the ledger before and after.

Rolling back is the same: promote the version that was champion before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

from mlflow import MlflowClient

from tasks.common.errors import RegistryError
from tasks.registry import heads, ledger, model_versions, permission
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect
from tasks.registry.watching import look


@dataclass(frozen=True)
class Said:
    """By whom, why, and where that name is from, if anything vouches for it."""

    by: str = ""
    reason: str = ""
    where: str = ""


def promote(
    name: str, number: int | None = None, said: Said = Said(), approvers: Collection[str] = ()
) -> int:
    """Make a version the champion; return its number.

    Args:
        name: of the registered model.
        number: of the version; None for the challenger.
        said: what is too small to judge needs a reason.
        approvers: names of whom one must have approved.

    Raises:
        RegistryError: there is no such version, or the ledger does not let it serve.
    """
    with in_one_line(), ledger.locked("a promotion"):
        client = connect()
        look(client, name, approvers)
        return _promote(client, name, number, said, approvers)


def roll_back(name: str, said: Said = Said(), approvers: Collection[str] = ()) -> int:
    """Make the version champion again that was so before the one of today; return its number.

    Raises:
        RegistryError: none was, or as of `promote`.
    """
    with in_one_line(), ledger.locked("a rollback"):
        client = connect()
        look(client, name, approvers)
        reigns = ledger.reigns(ledger.read(), name)
        if len(reigns) < 2:
            raise RegistryError(
                "required: a champion before the one of today; received: none. "
                "`python -m flows.promote VERSION` promotes any version that passed"
            )
        return _promote(client, name, reigns[-2].version, said, approvers, rollback=True)


def _promote(
    client: MlflowClient,
    name: str,
    number: int | None,
    said: Said,
    approvers: Collection[str],
    rollback: bool = False,
) -> int:
    version = model_versions.required(client, name, number)
    champion = model_versions.of_alias(client, name, model_versions.CHAMPION)
    if champion is not None and champion.version == version.version:
        print(f"{name} version {version.version} is the champion already")
        return int(version.version)
    identity = (name, int(version.version), model_versions.true_digest(version))
    permission.require(identity, said.reason, approvers)
    before = None if champion is None else int(champion.version)
    facts = {"champion": before, "rollback": rollback} | asdict(said)
    intent = ledger.append(ledger.INTENT, *identity, facts)
    client.set_registered_model_alias(name, model_versions.CHAMPION, version.version)
    ledger.end(intent, "promoted")
    heads.copy(client, version)
    print(f"{name} version {version.version} is the champion now; before: {before or 'none'}")
    return int(version.version)
