"""The report and the model card, once the gate has judged: with verdict, comparison, date and ids,
and with what differs from machine to machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.common import documents, paths
from tasks.pictures.page import render
from tasks.registry import display, environment, live_runs, model_versions
from tasks.registry.floors import WHOLE
from tasks.reporting.places import fill

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from tasks.registry.ledger import Entry

# The libraries that results hang on most; the run lists all.
LIBRARIES = (
    *("keras", "tensorflow", "jax", "numpy", "pandas", "opencv-python-headless", "pydicom"),
    *("onnxruntime", "scikit-learn", "dvc", "mlflow", "prefect"),
)
DIGITS = 16  # of a digest, as it is shown


def write(client: MlflowClient, version: ModelVersion, entry: Entry) -> None:
    """Fill what the stage left open, in copies beside what it wrote, and log them to the version's
    run.
    """
    run = client.get_run(model_versions.run_of(version))
    told = _content(client, entry, run)
    page = {name: render(f"{name}.html.j2", told) for name in ("verdict", "ids", "run")}
    page |= _served(entry.facts)
    card = {"verdict": render("verdict.md.j2", told)}
    for made, target, texts in (
        (paths.REPORT, paths.VERDICT, page),
        (paths.REPORT_IN_SHORT, paths.MODEL_CARD, card),
    ):
        documents.write_text(target, fill(made.read_text(encoding="utf-8"), texts))
        client.log_artifact(run.info.run_id, str(target), str(target.parent))


def _served(facts: Mapping[str, Any]) -> dict[str, str]:
    """The first figures of what serves, in place of the network's; none where test is too small."""
    figures = facts.get("figures", {})
    if not WHOLE.keys() <= figures.keys():
        return {}
    told = {"images": figures["images"], "confidence": facts["rules"]["confidence"]}
    tiles = {name: render("figure.html.j2", {"figure": figures[name]}) for name in WHOLE}
    return tiles | {"scored": render("scored.html.j2", told)}


def _content(client: MlflowClient, entry: Entry, run: Run) -> dict[str, Any]:
    machine = environment.recorded(client, run.info.run_id)
    packages = machine.pop("packages", {})
    return {
        "title": display.title(entry),
        "first": entry.kind == "first",
        "undecided": entry.kind == "undecided",
        "measured": list(display.measured(entry.facts.get("figures", {}))),
        "compared": list(display.compared(entry.facts.get("figures", {}))),
        "reasons": entry.facts["reasons"],
        "missed": entry.facts.get("missed", []),  # entries of before lack it
        "ids": _ids(entry, run),
        "machine": {name: machine[name] for name in ("python", "system", "cpu") if name in machine},
        "libraries": {name: packages[name] for name in LIBRARIES if name in packages},
        "seconds": seconds_per_step(),
    }


def seconds_per_step() -> dict[str, float]:
    """What the steps before the gate took when they last ran."""
    known = documents.read_memo(paths.StateEntry.SECONDS.path)
    return {n: took for n, took in known.items() if isinstance(took, float) and n != "gate"}


def _ids(entry: Entry, run: Run) -> dict[str, str]:
    """By which it can be found again; what the run does not say is left out."""
    tags = run.data.tags
    changed = " and changes that are not committed" * (tags.get("git.dirty") == "true")
    found = {
        "judged": f"{entry.time[:10]} {entry.time[11:16]} UTC",
        "version": f"{entry.model_name} {entry.version}",
        "code (git)": tags.get("git.commit", "")[:DIGITS] + changed,
        "data": tags.get("data.digest", "")[:DIGITS],
        "test images": tags.get("test.digest", "")[:DIGITS],
        "model": tags.get(model_versions.NETWORK, "")[:DIGITS],
        "package": tags.get(model_versions.PACKAGE, "")[:DIGITS],
        "result": tags.get(live_runs.RESULT, "")[:DIGITS],
        "MLflow run": run.info.run_id,
        "MLflow experiment": run.info.experiment_id,
        "Prefect flow run": tags.get("prefect.flow_run_id", ""),
    }
    return {name: value for name, value in found.items() if value}
