"""What the stages before `report` wrote, as its templates name it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.common import paths
from tasks.common.documents import read_json
from tasks.pictures import charts
from tasks.pictures.page import data_uri
from tasks.reporting import concerns, forgetting, tables, weak_slices

if TYPE_CHECKING:
    from tasks.common.params.gate import Floors

HEADLINE = ("auroc", "sensitivity", "specificity")
FIGURES = ("roc", "confusion", "score_histogram", "calibration", "net_benefit", "robustness")


def read(floors: Floors, coverage: float) -> dict[str, Any]:
    """Facts, and what follows from them: tables, and what is wrong in words.

    Args:
        floors: what the gate will hold the model to.
        coverage: what sets of answers are fitted to.
    """
    facts = _facts()
    test = facts["metrics"]["test"]
    units = "groups" if tables.joined(facts["receipt"]) else "patients"
    weak = weak_slices.find(test, floors)
    return facts | {
        "headline": HEADLINE,
        "floors": floors,
        "units": units,
        "alarms": concerns.alarms(facts),
        "concerns": concerns.find(facts, floors, coverage),
        "weak": weak,
        "clearly": weak_slices.CLEARLY,
        "slices": {
            column: tables.by_slice(column, values, units, weak)
            for column, values in test["slices"].items()
        },
        "table_one": tables.table_one(facts["receipt"]),
        "beside": forgetting.table(facts["metrics"], facts["training"]),
        "external": tables.external(facts["metrics"]),
        "explained": tables.of_heatmaps(facts["explanations"]["classes"]),
        "package": tables.of_int8(facts["compression"].get("int8")),
        "files": tables.of_files(facts["compression"]["files"]),
        **tables.of_metrics(facts["metrics"]),
        **_pictures(facts),
    }


def _facts() -> dict[str, Any]:
    return {
        "receipt": read_json(paths.SPLIT_RECEIPT),
        "validation": read_json(paths.VALIDATION),
        "drift": read_json(paths.DRIFT),
        "shortcuts": read_json(paths.SHORTCUTS),
        "training": read_json(paths.TRAINING),
        "metrics": read_json(paths.METRICS),
        "point": read_json(paths.OPERATING_POINT),
        "explanations": read_json(paths.EXPLANATIONS),
        "audit": read_json(paths.AUDIT / "summary.json"),
        "compression": read_json(paths.COMPRESSION),
    }


def _pictures(facts: dict[str, Any]) -> dict[str, Any]:
    training, suspects = facts["training"], paths.AUDIT / "gallery.png"
    gallery = read_json(paths.EXPLAIN / "index.json")
    return {
        "contact_sheet": _picture(paths.CONTACT_SHEET),
        "histories": read_histories(training["kept"], training["best_epoch"]),
        "figures": {
            name: [_picture(file) for file in charts.files(paths.FIGURES / f"{name}.png")]
            for name in FIGURES
        },
        "gallery": {
            part: [entry | {"picture": _picture(paths.EXPLAIN / entry["file"])} for entry in found]
            for part, found in gallery.items()
        },
        "audit_gallery": _picture(suspects) if suspects.exists() else None,
    }


def _picture(path: Path) -> str:
    return data_uri(path.read_bytes())


def read_histories(kept: str, best_epoch: int) -> dict[str, dict[str, str]]:
    """Phase -> charts of its loss and AUROC, with the kept epoch marked in the kept phase."""
    drawn = {}
    for phase, path in (("head", paths.HEAD_HISTORY), ("fine_tune", paths.HISTORY)):
        table = pd.read_csv(path)
        if len(table):
            values = {str(name): table[name].to_numpy(float) for name in table}
            mark = best_epoch if phase == kept else None
            shown = charts.history(values, mark)
            drawn[phase] = {name: data_uri(picture) for name, picture in shown.items()}
    return drawn
