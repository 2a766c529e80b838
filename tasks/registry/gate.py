"""The gate: challenger against champion on the same test images.

Both are scored from the raw files by their own packaged preprocessing. The verdict goes to the
ledger, which alone counts, and for people to the version's tags, the run and the output.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tasks.common import digests, documents, labels, paths
from tasks.common.errors import RegistryError
from tasks.common.manifest import of_split, read_manifest
from tasks.registry import cases, last_run, ledger, model_versions, scoring
from tasks.registry.judgement import Judgement, judge
from tasks.registry.store import connect
from tasks.statistics import Array

if TYPE_CHECKING:
    from tasks.common.params.task import Task
    from tasks.common.params.whole import Params

Terms = dict[str, Any]


def gate(settings: Params) -> str:
    """Judge the version of the workspace's model; return the verdict: first, passed, failed, or
    champion where that is the version itself.

    Done again on the same terms, it stands by what the ledger says, and sets right whatever an
    interruption left undone. The champion's alias is moved last, so it says that all is done.

    Raises:
        RegistryError: the model is not registered, cannot be scored, or the ledger is broken.
    """
    client, name = connect(), settings.publish.model_name
    challenger = _challenger(client, name)
    champion = model_versions.of_alias(client, name, model_versions.CHAMPION)
    if champion is not None and champion.version == challenger.version:
        reasons = [f"version {challenger.version} is the champion itself, nothing to compare"]
        return _tell("champion", challenger, reasons)
    test = of_split(read_manifest(), "test")
    terms = _terms(settings, champion, test)
    entry = _known(challenger, terms)
    if entry is None:
        judgement = _examine(client, settings, challenger, champion, test)
        entry = _enter(challenger, terms, judgement)
    _mark(client, challenger, entry)
    _move_aliases(client, challenger, champion, entry)
    return _tell(entry.kind, challenger, entry.facts["reasons"])


def _challenger(client: MlflowClient, name: str) -> ModelVersion:
    version = model_versions.of_digest(client, name, digests.of_model(paths.MODEL))
    if version is None:
        raise RegistryError(
            f"required: a version of {name!r} with the model of {paths.MODEL}; received: none. "
            "`python -m tasks.register` makes it"
        )
    return version


def _terms(settings: Params, champion: ModelVersion | None, test: pd.DataFrame) -> dict[str, Any]:
    """What a verdict depends on beside the challenger."""
    return {
        "test_digest": cases.digest(test),
        "champion": None if champion is None else int(champion.version),
        "champion_digest": None if champion is None else champion.tags.get(model_versions.DIGEST),
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
    return version.name, int(version.version), version.tags[model_versions.DIGEST]


def _examine(
    client: MlflowClient,
    settings: Params,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    test: pd.DataFrame,
) -> Judgement:
    """Score both on the test images and judge."""
    frozen = [] if champion is None else _frozen_images(client, champion)
    scores = _score(challenger, test, settings.task, digests.of_model(paths.MODEL))
    rival = None if champion is None else _score(champion, test, settings.task)
    return judge(cases.from_rows(test, settings.task, frozen), scores, rival, settings.gate)


def _score(
    version: ModelVersion, test: pd.DataFrame, task: Task, digest: str | None = None
) -> Array:
    """Scores of a version; `digest` is what its network must be, where that is known."""
    print(f"Scoring version {version.version} on {len(test)} test images ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        package = model_versions.download(version, Path(folder) / f"version_{version.version}")
        if digest not in (None, model_versions.packaged_digest(package)):
            raise RegistryError(
                f"required: the model of {paths.MODEL}; received: another one in version "
                f"{version.version}, whose tag {model_versions.DIGEST} was edited. Delete the "
                "version and run `python -m tasks.register`"
            )
        return scoring.score(package, test, labels.scored(task.kind, task.names))


def _frozen_images(client: MlflowClient, champion: ModelVersion) -> list[str]:
    """The test images of the champion's day; none where its run is gone."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = client.download_artifacts(str(champion.run_id), cases.IMAGES_FILE, folder)
        except (MlflowException, OSError):
            return []
        return list(documents.read_json(Path(file))["test"])


def _enter(challenger: ModelVersion, terms: Terms, judgement: Judgement) -> ledger.Entry:
    """Write the verdict down. Only the first version ever to pass becomes champion by itself."""
    name = challenger.name
    had_first = any(e.kind == "first" and e.model_name == name for e in ledger.read())
    passed = "passed" if terms["champion"] is not None or had_first else "first"
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


def _move_aliases(
    client: MlflowClient,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    entry: ledger.Entry,
) -> None:
    """`challenger` to the newest version that passed; `champion` to the first one."""
    name, entries = challenger.name, ledger.read()
    for version in model_versions.every(client, name):
        verdict = ledger.verdict(entries, *_identity(version))
        if verdict is not None and verdict.kind in ledger.PASSED:
            client.set_registered_model_alias(name, model_versions.CHALLENGER, version.version)
            break
    if entry.kind == "first" and champion is None:
        client.set_registered_model_alias(name, model_versions.CHAMPION, challenger.version)


def _tell(verdict: str, challenger: ModelVersion, reasons: list[str]) -> str:
    last_run.add(verdict=verdict, reasons=reasons)
    for reason in reasons:
        print(f"  {reason}")
    print(f"Gate: {challenger.name} version {challenger.version}: {verdict}")
    return verdict
