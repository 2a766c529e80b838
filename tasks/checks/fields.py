"""The columns of the manifest that the audits of drift and of shortcuts look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from tasks.common import labels, slices

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


def beside_pixels(table: pd.DataFrame) -> pd.DataFrame:
    """What is known of each image beside its pixels and label: how it was taken, of whom, and what
    `pull.slices` keeps; numbers, whole ones included, are floats.
    """
    return _plain(table[[*ACQUISITION, *PATIENT, *slices.further(table)]])


def compared(table: pd.DataFrame, task: Task) -> pd.DataFrame:
    """What drift is looked for in: the classes, intensities, and what is known beside them."""
    targets = labels.encode(table["label"], task.kind, task.names)
    names = [f"class {name}" for name in labels.scored(task.kind, task.names)]
    given = _plain(table[INTENSITY]).join(beside_pixels(table))
    there = pd.DataFrame(targets == 1, columns=names)
    return there.replace({True: "with", False: "without"}).join(given)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    numbers = {name: "float64" for name in table if pd.api.types.is_numeric_dtype(table[name])}
    return table.astype(numbers).reset_index(drop=True)
