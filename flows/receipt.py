"""What a retraining run prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.common import paths, wording
from tasks.common.documents import read_json


def render(seconds: Mapping[str, float]) -> str:
    """The receipt: seconds a step, test AUROC, records, verdict, report and how to look at them."""
    auroc = read_json(paths.METRICS)["test"]["auroc"]
    registry = read_json(paths.StateEntry.LAST_RUN.path)
    times = "\n".join(f"  {name:<12}{value:8.1f} s" for name, value in seconds.items())
    return "\n".join(
        [
            "",
            "Seconds a step",
            times,
            f"  {'together':<12}{sum(seconds.values()):8.1f} s",
            "",
            f"Test AUROC    {wording.interval(auroc)}",
            *_remarks(read_json(paths.SPLIT_RECEIPT)),
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
    leak = wording.leak(split) if split["on_leak"] == "report" else ""
    lines = [f"Leak          {leak} stand on two sides of the split"] if leak else []
    if without := split["images_without_patient_id"]:
        lines.append(f"Patients      {without:,} of {split['images']:,} images have no patient id")
    return lines
