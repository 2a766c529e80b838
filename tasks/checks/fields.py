"""The columns of the manifest that the audits of drift and of shortcuts look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from tasks.common import labels

if TYPE_CHECKING:
    from tasks.common.params.task import Task

ACQUISITION = [
    *("modality", "body_part", "bits", "compression", "device", "site"),
    *("height", "width"),
]
PATIENT = ["age_band", "sex"]
INTENSITY = ["mean", "std"]


def known(manifest: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The usable rows whose labels the task has; other labels are an expectation's concern."""
    usable = manifest[manifest["status"] == "ok"]
    classes = set(task.names)
    fits = [set(labels.names(label, task.kind)) <= classes for label in usable["label"]]
    return usable[fits].reset_index(drop=True)


def acquisition(table: pd.DataFrame) -> pd.DataFrame:
    """How each image was taken; numbers, whole ones included, are floats."""
    return _plain(table[ACQUISITION])


def compared(table: pd.DataFrame, task: Task) -> pd.DataFrame:
    """What drift is looked for in: the classes, intensities, acquisition, patients and slices."""
    targets = labels.encode(table["label"], task.kind, task.names)
    names = [f"class {name}" for name in labels.scored(task.kind, task.names)]
    slices = sorted(str(name) for name in table if str(name).startswith("slice_"))
    given = _plain(table[[*INTENSITY, *ACQUISITION, *PATIENT, *slices]])
    there = pd.DataFrame(targets == 1, columns=names)
    return there.replace({True: "with", False: "without"}).join(given)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    numbers = {name: "float64" for name in table if pd.api.types.is_numeric_dtype(table[name])}
    return table.astype(numbers).reset_index(drop=True)
