"""A tiny manifest that meets every expectation, and what is found in it."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd

from tasks.checks import comparisons, fields
from tasks.checks.expectations import limits, tables
from tasks.checks.suites import examine
from tasks.common import editing, labels, manifest, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.statistics import shortcuts
from worlds.project import ROOT

SECRET = "pseudonym-of-a-patient"


def make_world() -> pd.DataFrame:
    """A manifest of 60 images that meets every expectation, its pack's receipt, and the suites, in
    the workspace.
    """
    shutil.copytree(ROOT / paths.EXPECTATIONS, paths.EXPECTATIONS)
    editing.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"]})
    count = 60
    table = pd.DataFrame(
        {
            "image_id": [f"{k:064x}" for k in range(count)],
            "patient_id": [f"{SECRET}-{k}" for k in range(count)],
            "batch": 0,
            "label": ["sane", "sick"] * (count // 2),
            "height": 300,
            "width": 200,
            "mean": np.linspace(40, 200, count),
            "std": 30.0,
            "status": "ok",
            "reason": None,
            "row": range(count),
            "split": (["train"] * 6 + ["val"] * 2 + ["test"] * 2) * (count // 10),
        }
    )
    table["group"] = table["patient_id"]
    return table.reindex(columns=[*manifest.MANIFEST])


def pack(count=60, shape=(224, 224, 1)):
    return {"key": "k", "digest": "d" * 64, "shape": [count, *shape], "dtype": "uint8"}


def findings_of(table, receipt=None, only=()):
    settings = load(Params)
    known = fields.known(table, settings.task)
    targets = labels.encode(known["label"], settings.task.kind, settings.task.names)
    told = shortcuts.measure(fields.beside_pixels(known), targets, known["group"])
    _, sides = comparisons.sides(known, settings.task)
    about = tables(table, receipt or pack(), settings.task, comparisons.nothing(), sides, told)
    return examine(
        {name: columns for name, columns in about.items() if not only or name in only},
        limits(settings.task, settings.preprocess, settings.split, settings.validate_),
        paths.EXPECTATIONS,
    )


def failed(table, receipt=None, severity="critical", only=()):
    found = findings_of(table, receipt, only)
    return [finding for finding in found if not finding.passed and finding.severity == severity]
