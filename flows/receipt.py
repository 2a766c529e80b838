"""What a retraining run prints at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.common import paths, wording

LEAKS = {
    "patients_on_two_sides": "patients",
    "pictures_on_two_sides": "pairs of the same picture",
}


def render(seconds: Mapping[str, float]) -> str:
    """The receipt: seconds a step, test AUROC, records, verdict, report and how to look at them."""
    auroc = _read(paths.METRICS)["test"]["auroc"]
    registry = _read(paths.state() / "last_run.json")
    times = "\n".join(f"  {name:<12}{value:8.1f} s" for name, value in seconds.items())
    return "\n".join(
        [
            "",
            "Seconds a step",
            times,
            f"  {'together':<12}{sum(seconds.values()):8.1f} s",
            "",
            f"Test AUROC    {wording.interval(auroc)}",
            *_remarks(_read(paths.SPLIT_RECEIPT)),
            f"MLflow run    {registry['run_id']}",
            f"Model         {registry['model_name']} version {registry['version']}",
            f"Gate          {registry['verdict']}",
            *(f"              {reason}" for reason in registry["reasons"]),
            f"Report        {paths.REPORT.resolve()}",
            "Look at it    make server   (MLflow on 127.0.0.1:5000, Prefect on 127.0.0.1:4200)",
        ]
    )


def _remarks(split: Mapping[str, Any]) -> list[str]:
    """Why the figures on test may flatter."""
    leaks = LEAKS if split["on_leak"] == "report" else {}
    found = {what: split[key] for key, what in leaks.items() if split[key]}
    lines = [
        f"Leak          {n:,} {what} stand on two sides of the split" for what, n in found.items()
    ]
    if without := split["images_without_patient_id"]:
        lines.append(f"Patients      {without:,} of {split['images']:,} images have no patient id")
    return lines


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
