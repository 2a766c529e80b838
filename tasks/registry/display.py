"""What a promoter sees in MLflow: descriptions of model, version and run, and tags in plain names.

All of it is for people, and anybody can edit it: what decides stands in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tasks.common import paths, wording
from tasks.common.servers import OF_UI
from tasks.registry import ledger, model_versions, sbom
from tasks.registry.comparison import in_words
from tasks.registry.floors import WHOLE
from tasks.registry.ledger import Entry
from tasks.reporting.weak_slices import CLEARLY
from tasks.statistics.intervals import Interval

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from tasks.common.params.whole import Params

NOTE = "mlflow.note.content"  # the tag that MLflow shows as the description of a run


def show(client: MlflowClient, settings: Params, version: ModelVersion, entry: Entry) -> str:
    """Describe model, version and run after a verdict; return the version's description."""
    name, run = version.name, client.get_run(model_versions.run_of(version))
    described = of_version(entry, run)
    client.update_registered_model(name, of_model(settings))
    client.update_model_version(name, version.version, described)
    client.set_tag(run.info.run_id, NOTE, described)
    for tag, value in _tags(entry, run).items():
        client.set_model_version_tag(name, version.version, tag, value)
    about = {"task": settings.task.kind, "classes": ", ".join(settings.task.names)}
    for tag, value in about.items():
        client.set_registered_model_tag(name, tag, value)
    return described


def of_model(settings: Params) -> str:
    """What a registered model says of itself."""
    task = settings.task
    return "\n\n".join(
        [
            f"Classifies single images: {task.kind}, {', '.join(task.names)}. Input are the bytes "
            "of a file (PNG, JPEG, TIFF, BMP, DICOM), output scores and a prediction.",
            "**Limits**: research use only, no medical device. A score says nothing about images "
            "unlike those of the training: other scanners, other patients, other questions.",
            "**To promote a version here**: open it, and give it the alias `champion` (pencil or "
            "*Add* beside *Aliases*). Only a version that passed the gate keeps it: of any other "
            "the alias is put back, and its tag `promotion.refused` says why. The blue button "
            "*Promote model* copies to another registered model, and promotes nothing.",
            "**In a terminal**: `python -m flows.promote [VERSION] --reason WHY`; `--rollback` "
            "goes back, `--history` tells which version served when.",
        ]
    )


def of_version(entry: Entry, run: Run) -> str:
    """What a verdict says, in Markdown."""
    reasons = "\n".join(f"- {reason}" for reason in entry.facts["reasons"])
    rules = f"What was held to the rules:\n\n{reasons}"
    return "\n\n".join([f"**{title(entry)}**", *lines(entry), _made(entry, run), rules])


def title(entry: Entry) -> str:
    """The verdict in a word."""
    return f"Version {entry.version}: {ledger.outcome(entry)}"


def lines(entry: Entry) -> Iterator[str]:
    """What a person asks first: the figures, beside whom, and where to look."""
    figures: Mapping[str, Any] = entry.facts.get("figures", {})
    yield from measured(figures)
    yield from compared(figures)
    for name, told in _concerns(figures):
        yield f"Look at {name}: {told}"


def measured(figures: Mapping[str, Any]) -> Iterator[str]:
    """What the version was measured at, packaged as it serves; nothing where test is too small."""
    held = [
        f"{told} {wording.interval(figures[key])}" for key, told in WHOLE.items() if key in figures
    ]
    if held:
        yield f"{', '.join(held)}, on {figures['images']:,} test images"


def compared(figures: Mapping[str, Any]) -> Iterator[str]:
    """What the comparisons with champion and reference show; nothing for a first version."""
    for rival, found in figures.get("compared", {}).items():
        if found["low"] is not None:
            told = in_words(Interval(found["value"], found["low"], found["high"]))
            yield f"Beside {rival}: {found['word']}, {told}"


def _concerns(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The slices that are far below the whole."""
    for name, found in figures.get("slices", {}).items():
        below = figures["auroc"]["value"] - found["auroc"]["value"]
        if below >= CLEARLY["auroc"]:
            told = [f"{key} {wording.interval(value)}" for key, value in found.items()]
            yield name, ", ".join(told).replace("auroc", "AUROC")


def _made(entry: Entry, run: Run) -> str:
    tags, info = run.data.tags, run.info
    page = f"#/experiments/{info.experiment_id}/runs/{info.run_id}"
    data, commit = tags.get("data.digest", "")[:8], tags.get("git.commit", "")[:8]
    files = {"its report": str(paths.VERDICT), "its model card": str(paths.MODEL_CARD)}
    if sbom.TAG in tags:
        files["its parts and their licences"] = sbom.LICENCES
    links = [f"[{name}]({page}/artifacts/{file}{OF_UI})" for name, file in files.items()]
    return (
        f"Judged {entry.time[:10]}, from data {data or 'unknown'} by code {commit or 'unknown'}. "
        f"{', '.join([f'[Its run]({page}{OF_UI})', *links])}"
    )


def _tags(entry: Entry, run: Run) -> dict[str, str]:
    figures = entry.facts.get("figures", {})
    tags = {"judged": entry.time[:10]}
    if "auroc" in figures:
        tags["AUROC"] = wording.interval(figures["auroc"])
    for rival, found in figures.get("compared", {}).items():
        role = rival.partition(",")[0].removeprefix("the ")
        tags[f"beside {role}"] = wording.interval(found)
    if "data.digest" in run.data.tags:
        tags["data"] = run.data.tags["data.digest"][:8]
    return tags
