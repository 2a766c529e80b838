"""The gate: challenger against champion on the same test images.

Both are scored from the raw files by their own packaged preprocessing. The verdict goes to the
ledger, which alone counts, and for people to the version's tags, the run and the output.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from tasks.common import paths
from tasks.common.errors import RegistryError
from tasks.common.manifest import of_split, read_manifest
from tasks.registry import cases, last_run, ledger, model_versions
from tasks.registry.examination import INSTEAD, examine
from tasks.registry.failures import in_one_line
from tasks.registry.promotion import settle
from tasks.registry.store import connect
from tasks.serving import packing

if TYPE_CHECKING:
    from tasks.common.params.whole import Params
    from tasks.registry.judgement import Judgement

Terms = dict[str, Any]


@in_one_line()
def gate(settings: Params) -> str:
    """Judge the version of the workspace's model; return the verdict: first, passed, failed, or
    champion where that is the version itself.

    Done again on the same terms, it stands by what the ledger says, and sets right whatever an
    interruption left undone. The champion's alias is moved last, so it says that all is done.

    Raises:
        RegistryError: the model is not registered, cannot be scored, or cannot be compared with
            the champion; the ledger is broken, or the store does not answer.
    """
    with ledger.locked("the gate"):
        client, name = connect(), settings.publish.model_name
        settle(client, name)
        challenger = _challenger(client, name)
        served = model_versions.of_alias(client, name, model_versions.CHAMPION)
        champion = served or _remembered(client, name)
        if champion is not None and champion.version == challenger.version:
            return _stand_by(client, challenger, served)
        if champion is not None and served is None:
            print(
                f"No version has the alias champion; version {champion.version} had it last, and "
                f"is compared with. `python -m tasks.promote {champion.version}` gives it back"
            )
        return _hold(client, settings, challenger, champion)


def _hold(
    client: MlflowClient, settings: Params, challenger: ModelVersion, champion: ModelVersion | None
) -> str:
    test = of_split(read_manifest(), "test")
    terms = _terms(settings, champion, test)
    entry = _known(challenger, terms)
    if entry is None:
        judgement = examine(client, settings, challenger, champion, test)
        entry = _enter(challenger, terms, judgement)
    _mark(client, challenger, entry)
    _move_aliases(client, challenger, entry)
    return _tell(entry.kind, challenger, entry.facts["reasons"])


def _remembered(client: MlflowClient, name: str) -> ModelVersion | None:
    """The version that was champion last, for the ledger, where no version has the alias.

    Raises:
        RegistryError: it was deleted, so nothing says that a challenger is no worse.
    """
    entry = ledger.champion(ledger.read(), name)
    if entry is None:
        return None
    found = {int(version.version): version for version in model_versions.every(client, name)}
    version = found.get(entry.version)
    if version is None or model_versions.digest_in(version.tags) != entry.model_digest:
        raise RegistryError(
            f"required: the champion, version {entry.version} of {name!r}, to compare with; "
            f"received: none, it was deleted. {INSTEAD}"
        )
    return version


def _stand_by(client: MlflowClient, challenger: ModelVersion, served: ModelVersion | None) -> str:
    """The challenger is the champion itself, for its alias or for the ledger alone."""
    entry = ledger.champion(ledger.read(), challenger.name)
    if served is None and entry is not None and entry.kind == "first":  # an interruption
        _mark(client, challenger, entry)
        _move_aliases(client, challenger, entry)
        return _tell(entry.kind, challenger, entry.facts["reasons"])
    reasons = [f"version {challenger.version} is the champion itself, nothing to compare"]
    if served is None:
        lost = f"`python -m tasks.promote {challenger.version}` gives it the alias back"
        reasons.append(f"it has lost the alias champion: {lost}")
    return _tell("champion", challenger, reasons)


def _challenger(client: MlflowClient, name: str) -> ModelVersion:
    version = model_versions.of_digest(client, name, packing.of_workspace())
    if version is None:
        raise RegistryError(
            f"required: a version of {name!r} with the package of {paths.PACKAGE}; received: none. "
            "`python -m tasks.register` makes it"
        )
    return version


def _terms(settings: Params, champion: ModelVersion | None, test: pd.DataFrame) -> dict[str, Any]:
    """What a verdict depends on beside the challenger."""
    return {
        "test_digest": cases.digest(test),
        "champion": None if champion is None else int(champion.version),
        "champion_digest": None if champion is None else model_versions.digest_in(champion.tags),
        "rules": settings.gate.model_dump(),
    }


def _known(challenger: ModelVersion, terms: Terms) -> ledger.Entry | None:
    """The newest verdict on the challenger, if it was given on these terms."""
    entry = ledger.verdict(ledger.read(), *_identity(challenger))
    if entry is None or any(entry.facts.get(name) != value for name, value in terms.items()):
        return None
    print(f"Version {challenger.version} was judged on these terms before ({entry.time})")
    return entry


def _identity(version: ModelVersion) -> tuple[str, int, str]:
    return version.name, int(version.version), model_versions.digest_in(version.tags)


def _enter(challenger: ModelVersion, terms: Terms, judgement: Judgement) -> ledger.Entry:
    """Write the verdict down. Only the first version ever to pass becomes champion by itself."""
    passed = "first" if terms["champion"] is None else "passed"
    kind = passed if judgement.passed else "failed"
    facts = terms | {"reasons": judgement.reasons, "figures": judgement.figures}
    return ledger.append(kind, *_identity(challenger), facts)


def _mark(client: MlflowClient, challenger: ModelVersion, entry: ledger.Entry) -> None:
    """Show the verdict where people look: on the version and in its run."""
    tags = {"gate.verdict": entry.kind, "gate.reasons": "; ".join(entry.facts["reasons"])}
    for tag, value in tags.items():
        client.set_model_version_tag(challenger.name, challenger.version, tag, value)
    run_id = str(challenger.tags.get("run_id", challenger.run_id))
    client.log_dict(run_id, asdict(entry) | {"hash": entry.hash}, "gate.json")


def _move_aliases(client: MlflowClient, challenger: ModelVersion, entry: ledger.Entry) -> None:
    """`challenger` to the newest version that passed; `champion` to the first one."""
    name, entries = challenger.name, ledger.read()
    for version in model_versions.every(client, name):
        verdict = ledger.verdict(entries, *_identity(version))
        if verdict is not None and verdict.kind in ledger.PASSED:
            client.set_registered_model_alias(name, model_versions.CHALLENGER, version.version)
            break
    if entry.kind == "first":
        client.set_registered_model_alias(name, model_versions.CHAMPION, challenger.version)


def _tell(verdict: str, challenger: ModelVersion, reasons: list[str]) -> str:
    last_run.add(verdict=verdict, reasons=reasons)
    for reason in reasons:
        print(f"  {reason}")
    print(f"Gate: {challenger.name} version {challenger.version}: {verdict}")
    return verdict
