"""What a retraining run prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.common import paths, wording
from tasks.common.documents import read_json
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.common.params.task import Task


class Settings(Part):
    """What the receipt reads of params.yaml."""

    task: Task


def render(seconds: Mapping[str, float]) -> str:
    """The receipt: seconds a step, test AUROC, records, verdict, report and how to look at them."""
    metrics, split = read_json(paths.METRICS), read_json(paths.SPLIT_RECEIPT)
    registry = read_json(paths.StateEntry.LAST_RUN.path)
    times = "\n".join(f"  {name:<12}{value:8.1f} s" for name, value in seconds.items())
    return "\n".join(
        [
            *_first(metrics),
            "",
            "Seconds a step",
            times,
            f"  {'total':<12}{sum(seconds.values()):8.1f} s",
            "",
            f"Test AUROC    {wording.interval(metrics['test']['auroc'])}",
            *_positive(load(Settings).task),
            *_remarks(split),
            f"MLflow run    {registry['run_id']}",
            f"Model         {registry['model_name']} version {registry['version']}",
            f"Gate          {registry['verdict']}",
            *(f"              {reason}" for reason in registry["reasons"]),
            f"Report        {paths.REPORT.resolve()}",
            "Look at it    make server   (MLflow on 127.0.0.1:5000, Prefect on 127.0.0.1:4200)",
        ]
    )


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
