"""The gate: challenger against champion, and against the reference, on the same test images.

All are scored from the raw files by their own packaged preprocessing. The verdict goes to the
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
from tasks.registry import (
    budget,
    cases,
    display,
    heads,
    last_run,
    ledger,
    looked_at,
    model_versions,
    outcome,
    reference,
    reports,
    witness,
)
from tasks.registry.answers import INSTEAD
from tasks.registry.examination import Contest, admit, examine
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect
from tasks.registry.watching import look
from tasks.serving import packing

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

Terms = dict[str, Any]


@in_one_line()
def gate(settings: Params) -> str:
    """Judge the version of the workspace's model; return the verdict, in a word of `outcome`, or
    champion where that is the version itself.

    Done again on the same terms, it stands by what the ledger says, and sets right whatever an
    interruption left undone. The champion's alias is moved last, so it says that all is done.

    Raises:
        RegistryError: the model is not registered, cannot be scored, or cannot be compared with
            the champion; the ledger is broken, or the store does not answer.
    """
    with ledger.locked("the gate"):
        client, name = connect(), settings.publish.model_name
        look(client, name, settings.gate.approvers)
        challenger = _challenger(client, name)
        served = model_versions.of_alias(client, name, model_versions.CHAMPION)
        champion = served or _remembered(client, name)
        if champion is not None and champion.version == challenger.version:
            return _stand_by(client, settings, challenger, served)
        if champion is not None and served is None:
            print(
                f"No version has the alias champion; version {champion.version} had it last, and "
                f"is compared with. `python -m flows.promote {champion.version}` gives it back"
            )
        return _hold(client, settings, challenger, champion)


def _hold(
    client: MlflowClient, settings: Params, challenger: ModelVersion, champion: ModelVersion | None
) -> str:
    test = of_split(read_manifest(), "test")
    known = [challenger, champion] if champion else [challenger]
    contest = Contest(challenger, champion, reference.find(client, challenger.name, known))
    terms = _terms(settings, contest, test)
    entry = _known(challenger, terms)
    if entry is None:
        entry = _judge(client, settings, contest, test, terms)
    return _act(client, settings, challenger, entry)


def _judge(
    client: MlflowClient, settings: Params, contest: Contest, test: pd.DataFrame, terms: Terms
) -> ledger.Entry:
    """Examine within the budget of looks, and write the verdict down."""
    entrants = admit(client, contest, test)
    looks = budget.looks(ledger.read(), contest.challenger.name)
    change = looked_at.change(client, looks, entrants.rows["image_id"].tolist())
    turn = budget.next_look([] if change.renewed else looks, settings.gate.alpha)
    judgement = examine(client, settings, contest, entrants, turn.level)
    compared = [turn.reason, *change.remarks] if contest.champion else []
    facts = {
        "outcome": judgement.word,
        "reasons": [*judgement.reasons, *compared],
        "missed": list(judgement.missed),
        "figures": judgement.figures,
        "better": judgement.better,
        "look": turn.look,
        "level": turn.level,
        "renewed": change.renewed,
        "run_id": model_versions.run_of(contest.challenger),
    }
    kind = outcome.kind(judgement.word, contest.champion is None)
    return ledger.append(kind, *_identity(contest.challenger), terms | facts)


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
    if version is None or model_versions.digest(version) != entry.model_digest:
        raise RegistryError(
            f"required: the champion, version {entry.version} of {name!r}, to compare with; "
            f"received: none, it was deleted. {INSTEAD}"
        )
    return version


def _stand_by(
    client: MlflowClient, settings: Params, challenger: ModelVersion, served: ModelVersion | None
) -> str:
    """The challenger is the champion itself, for its alias or for the ledger alone."""
    entry = ledger.champion(ledger.read(), challenger.name)
    if served is None and entry is not None and entry.kind == "first":  # an interruption
        return _act(client, settings, challenger, entry)
    if judged := ledger.verdict(ledger.read(), *_identity(challenger)):
        reports.write(client, challenger, judged)
    reasons = [f"version {challenger.version} is the champion itself, nothing to compare"]
    if served is None:
        lost = f"`python -m flows.promote {challenger.version}` gives it the alias back"
        reasons.append(f"it has lost the alias champion: {lost}")
    return _tell("champion", challenger, reasons)


def _act(
    client: MlflowClient, settings: Params, challenger: ModelVersion, entry: ledger.Entry
) -> str:
    """Show a verdict where people look, move the aliases, and tell it."""
    described = _mark(client, settings, challenger, entry)
    _move_aliases(client, challenger, entry)
    last_run.add(description=described)
    return _tell(ledger.outcome(entry), challenger, entry.facts["reasons"])


def _challenger(client: MlflowClient, name: str) -> ModelVersion:
    version = model_versions.of_digest(client, name, packing.of_workspace())
    if version is None:
        raise RegistryError(
            f"required: a version of {name!r} with the package of {paths.PACKAGE}; received: none. "
            "`python -m tasks.register` makes it"
        )
    return version


def _terms(settings: Params, contest: Contest, test: pd.DataFrame) -> Terms:
    """What a verdict depends on beside the challenger."""
    champion, other = contest.champion, contest.reference
    return {
        "test_digest": cases.digest(test),
        "champion": None if champion is None else int(champion.version),
        "champion_digest": None if champion is None else model_versions.digest(champion),
        "reference": None if other is None else other.number,
        "reference_digest": None if other is None else other.digest,
        "rules": settings.gate.model_dump(exclude={"approvers"}),
    }


def _known(challenger: ModelVersion, terms: Terms) -> ledger.Entry | None:
    """The newest verdict on the challenger, if it was given on these terms."""
    entry = ledger.verdict(ledger.read(), *_identity(challenger))
    if entry is None or any(entry.facts.get(name) != value for name, value in terms.items()):
        return None
    print(f"Version {challenger.version} was judged on these terms before ({entry.time})")
    return entry


def _identity(version: ModelVersion) -> tuple[str, int, str]:
    return version.name, int(version.version), model_versions.digest(version)


def _mark(
    client: MlflowClient, settings: Params, challenger: ModelVersion, entry: ledger.Entry
) -> str:
    """Show the verdict where people look: on the version and in its run; in Markdown."""
    word = ledger.outcome(entry)
    client.set_model_version_tag(challenger.name, challenger.version, "gate.verdict", word)
    run_id = model_versions.run_of(challenger)
    client.log_dict(run_id, asdict(entry) | {"hash": entry.hash}, "gate.json")
    client.set_tag(run_id, witness.TAG, heads.copy(client, challenger))
    reports.write(client, challenger, entry)
    return display.show(client, settings, challenger, entry)


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
