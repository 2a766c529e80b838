"""What a retraining run prints at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks import paths, wording


def render(seconds: Mapping[str, float]) -> str:
    """The receipt: seconds a step, test AUROC, records, verdict, report and how to look at them."""
    auroc = _read(paths.METRICS)["test"]["auroc"]
    split = _read(paths.SPLIT_RECEIPT)
    leaking = split["patients_on_two_sides"] if split["on_leak"] == "report" else 0
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
            *(
                [f"Leak          {leaking} patients stand on two sides of the split"]
                * (leaking > 0)
            ),
            f"MLflow run    {registry['run_id']}",
            f"Model         {registry['model_name']} version {registry['version']}",
            f"Gate          {registry['verdict']}",
            *(f"              {reason}" for reason in registry["reasons"]),
            f"Report        {paths.REPORT.resolve()}",
            "Look at it    make server   (MLflow on 127.0.0.1:5000, Prefect on 127.0.0.1:4200)",
        ]
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
