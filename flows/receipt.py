"""What a retraining run prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tasks.common import mlflow_server, paths, servers, wording
from tasks.common.documents import read_json
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.servers import HOST


class Settings(Part):
    """What the receipt reads of params.yaml."""

    task: Task


def render(seconds: Mapping[str, float | None]) -> str:
    """The receipt: seconds per step, None where it was skipped, test AUROC, records, verdict,
    report and how to look at them.
    """
    metrics, split = read_json(paths.METRICS), read_json(paths.SPLIT_RECEIPT)
    registry = _registry()
    times = "\n".join(f"  {name:<12}{_time(value)}" for name, value in seconds.items())
    mlflow, prefect = servers.ports().values()
    return "\n".join(
        [
            *_first(metrics),
            "",
            "Seconds per step",
            times,
            f"  {'total':<12}{_time(sum(value or 0.0 for value in seconds.values()))}",
            "",
            f"Test AUROC    {wording.interval(metrics['test']['auroc'])}",
            *_positive(load(Settings).task),
            *_remarks(split),
            f"MLflow run    {registry['run_id']}",
            f"Model         {registry['model_name']} version {registry['version']}",
            f"Gate          {registry['verdict']}",
            *(f"              {reason}" for reason in registry["reasons"]),
            f"Report        {_report().resolve()}",
            f"Look at it    make server   (MLflow on {HOST}:{mlflow}, Prefect on {HOST}:{prefect})",
            f"              {_page(_version(registry))}",
        ]
    )


def outcome() -> str:
    """The receipt in one line."""
    registry = _registry()
    return f"{registry['model_name']} version {registry['version']}: {registry['verdict']}"


def verdict() -> str:
    """What the gate said, in a word."""
    return str(_registry()["verdict"])


def described() -> str:
    """What the gate said of the version, in Markdown; empty where the champion was not judged. Its
    links, which are to places at MLflow, name where that is.
    """
    return str(_registry().get("description", "")).replace("](#/", f"]({_mlflow()}/#/")


def markdown(seconds: Mapping[str, float | None]) -> str:
    """The receipt for Prefect's UI, below links to what it names: run and version at the MLflow
    server, and the report.
    """
    registry = _registry()
    run = f"experiments/{registry.get('experiment_id', 0)}/runs/{registry['run_id']}"
    links = [
        f"[MLflow run]({_page(run)})",
        f"[{outcome()}]({_page(_version(registry))})",
        f"[Report]({_report().resolve().as_uri()})",
    ]
    return f"{' | '.join(links)}\n\n```\n{render(seconds).strip()}\n```\n"


def _report() -> Path:
    """The whole one; where that was removed, as the stage made it."""
    return paths.VERDICT if paths.VERDICT.exists() else paths.REPORT


def _version(registry: Mapping[str, Any]) -> str:
    return f"models/{quote(registry['model_name'])}/versions/{registry['version']}"


def _page(path: str) -> str:
    return f"{_mlflow()}/#/{path}{servers.OF_UI}"


def _mlflow() -> str:
    """Where MLflow is to be looked at: the store's own server, or that of `make server`."""
    uri = paths.tracking_uri()
    if mlflow_server.is_one(uri):
        return mlflow_server.address(uri).rstrip("/")
    return servers.recorded().get("mlflow") or f"http://{HOST}:{servers.ports()['mlflow']}"


def _registry() -> Any:
    return read_json(paths.StateEntry.LAST_RUN.path)


def _time(seconds: float | None) -> str:
    return " unchanged" if seconds is None else f"{seconds:8.1f} s"


def _first(metrics: Mapping[str, Any]) -> list[str]:
    """What a person must know before any figure."""
    far, small = wording.far_below(metrics), wording.too_small(metrics)
    why = f"val and test are not alike: see the sides of the split in {paths.REPORT}"
    lines = [f"{far}:", f"  {why}"] if far else []
    lines += [small] if small else []
    starts = ["Look first    ", *["              "] * 2]
    return ["", *map(str.__add__, starts, lines)] if lines else []


def _positive(task: Task) -> list[str]:
    return [f"Positive      {task.names[1]}"] if task.kind == "binary" else []


def _remarks(split: Mapping[str, Any]) -> list[str]:
    """Why the figures on test may flatter, and what leaks cost."""
    leak = wording.leak(split) if split["on_leak"] == "report" else ""
    lines = [f"Leak          {leak} stand on two sides of the split"] if leak else []
    if lost := wording.lost(split):
        lines.append(f"Dropped       {lost}, for they leak to a later side of the split")
    if without := split["images_without_patient_id"]:
        lines.append(f"Patients      {without:,} of {split['images']:,} images have no patient id")
    return lines
