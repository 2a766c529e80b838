"""Stage: put each group, a patient or an image without one, on one side for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tasks import documents, labels, manifest, params, paths
from tasks.assignment import assign
from tasks.errors import LeakError, command
from tasks.manifest import SPLITS
from tasks.params import Split, Task

PAIRS = (("train", "val"), ("train", "test"), ("val", "test"))
DONE_ABOUT_LEAK = {
    "report": "it is kept as it is, so figures on test may flatter (split.on_leak: report)",
    "move": "each of them went to one side, train before val before test (split.on_leak: move)",
}


def to_manifest(images: pd.DataFrame, settings: Split, task: Task) -> pd.DataFrame:
    """Add `group` and `split`; the split of quarantined images is missing.

    Raises:
        DataError: a label is none of the task's classes.
        LeakError: as in `check_leak`.
    """
    usable = images["status"] == "ok"
    labels.check(images.loc[usable, "label"], task.kind, task.names)
    table = images.assign(group=images["patient_id"].fillna(images["image_id"]))
    check_leak(table, settings)
    # Quarantined images take part, so that a file read better later moves nobody.
    return table.assign(split=assign(table, settings, task.kind).where(usable))


def on_two_sides(table: pd.DataFrame) -> list[str]:
    """The groups that the source's own split has on more than one side."""
    sides = table.groupby("group")["source_split"].nunique()
    return sorted(sides[sides > 1].index)


def check_leak(table: pd.DataFrame, settings: Split) -> None:
    """Refuse groups on two sides of the source's split, if `split.on_leak` says so.

    Raises:
        LeakError: there are such groups.
    """
    leaking = on_two_sides(table)
    if leaking and settings.on_leak == "fail":
        images = int(table["group"].isin(leaking).sum())
        raise LeakError(
            f"{len(leaking)} patients ({images} images) stand on two sides of the source's split. "
            "Mend the source, or set split.on_leak in params.yaml: `move` puts each of them on one "
            "side (train before val before test), `report` keeps the source's split as it is and "
            "counts them"
        )


def receipt(table: pd.DataFrame, settings: Split, task: Task) -> dict[str, Any]:
    """How the manifest is split, in numbers that name nobody."""
    usable = table[table["status"] == "ok"]
    leaking = on_two_sides(table)
    sides = {name: manifest.of_split(usable, name) for name in manifest.SPLITS}
    groups = {name: set(side["group"]) for name, side in sides.items()}
    return {
        "splits": {name: _count(side, task) for name, side in sides.items()},
        "images": len(usable),
        "quarantined": len(table) - len(usable),
        "groups": int(usable["group"].nunique()),
        "images_without_patient_id": int(usable["patient_id"].isna().sum()),
        "batches": int(table["batch"].nunique()),
        "sides_from_source": [side for side in SPLITS if side in set(table["source_split"])],
        "on_leak": settings.on_leak,
        "patients_on_two_sides": len(leaking),
        "images_of_patients_on_two_sides": int(table["group"].isin(leaking).sum()),
        "groups_shared": {f"{a}_{b}": len(groups[a] & groups[b]) for a, b in PAIRS},
    }


def _count(side: pd.DataFrame, task: Task) -> dict[str, Any]:
    named = [set(labels.names(label, task.kind)) for label in side["label"]]
    return {
        "images": len(side),
        "groups": int(side["group"].nunique()),
        "classes": {name: sum(name in names for names in named) for name in task.names},
    }


def summary(numbers: Mapping[str, Any]) -> str:
    """The receipt as a small table, and what a person should know."""
    splits = numbers["splits"]
    rows = [["split", "images", "patients", *splits["train"]["classes"]]]
    for name, side in splits.items():
        counts = [side["images"], side["groups"], *side["classes"].values()]
        rows.append([name, *(f"{count:,}" for count in counts)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
    return "\n".join([*lines, *_remarks(numbers)])


def _remarks(numbers: Mapping[str, Any]) -> list[str]:
    remarks = []
    if numbers["patients_on_two_sides"]:
        remarks.append(
            f"{numbers['patients_on_two_sides']} patients "
            f"({numbers['images_of_patients_on_two_sides']} images) stand on two sides of the "
            f"source's split: {DONE_ABOUT_LEAK[numbers['on_leak']]}"
        )
    if numbers["images_without_patient_id"]:
        remarks.append(
            f"{numbers['images_without_patient_id']:,} of {numbers['images']:,} images have no "
            "patient_id: each counts as a patient of its own"
        )
    return remarks


@command
def main() -> None:
    """Write the manifest and the receipt of the split."""
    settings = params.load()
    images = manifest.read(paths.IMAGES, manifest.IMAGES)
    table = to_manifest(images, settings.split, settings.task)
    numbers = receipt(table, settings.split, settings.task)
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    documents.write_json(paths.SPLIT_RECEIPT, numbers)
    print(summary(numbers), flush=True)


if __name__ == "__main__":
    main()
