"""Which images are compared with which to find drift: the newest batch, the source's own sides."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tasks.checks import fields
from tasks.common.manifest import SPLITS
from tasks.common.params.task import Task
from tasks.statistics import drift

Compared = tuple[dict[str, Any], pd.DataFrame]


def batches(table: pd.DataFrame, task: Task) -> Compared:
    """The newest batch against all before it, which the last training had where each pull was
    trained on: who was compared, and the drift of every field. Nothing where there is one batch.
    """
    newest = table["batch"].max()
    new = (table["batch"] == newest).to_numpy()
    before, after = table[~new], table[new]
    if before.empty:
        return {}, nothing()
    patients = before["group"].nunique(), after["group"].nunique()
    compared = {
        "batch": int(newest),
        "images": len(after),
        "patients": patients[1],
        "images_before": len(before),
        "patients_before": patients[0],
    }
    values = fields.compared(table, task)
    return compared, drift.compare(values[~new], values[new], patients)


def sides(table: pd.DataFrame, task: Task) -> Compared:
    """Each later side of the source's own split against the first, train where it has one: by side
    who was compared and the drift of every field, and all drifts with the side before the field.
    Nothing where the source has one side or none.
    """
    given = [side for side in SPLITS if side in set(table["source_split"])]
    found, told = {}, [nothing()]
    values = fields.compared(table, task)
    for side in given[1:]:
        first, later = ((table["source_split"] == wanted).to_numpy() for wanted in (given[0], side))
        patients = table["group"][first].nunique(), table["group"][later].nunique()
        drifts = drift.compare(values[first], values[later], patients)
        told.append(drifts.assign(field=f"{side}: " + drifts["field"]))
        found[f"{side} against {given[0]}"] = {
            "images": int(later.sum()),
            "patients": patients[1],
            "images_before": int(first.sum()),
            "patients_before": patients[0],
            "by_field": by_field(drifts),
        }
    return found, pd.concat(told, ignore_index=True)


def nothing() -> pd.DataFrame:
    """The drift of what cannot be compared."""
    return drift.compare(pd.DataFrame(), pd.DataFrame(), (1, 1))


def by_field(table: pd.DataFrame) -> dict[str, Any]:
    """The rows of an audit by their field, for a report."""
    return {row.pop("field"): row for row in table.to_dict("records")}
