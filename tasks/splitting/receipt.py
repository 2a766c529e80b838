"""How the manifest is split, in numbers that name nobody, and what the log says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.common import labels, manifest, paths, wording
from tasks.common.manifest import SPLITS
from tasks.splitting import faults, findings, flow, joining, leaks

if TYPE_CHECKING:
    from tasks.common.params.split import Split
    from tasks.common.params.task import Task

BETWEEN = (("train", "val"), ("train", "test"), ("val", "test"))
MANY = 20  # patients joined by pictures past which a group rather holds neighbouring slices


def receipt(
    table: pd.DataFrame, pairs: pd.DataFrame, settings: Split, task: Task
) -> dict[str, Any]:
    """The numbers of `reports/split.json`.

    Args:
        table: of `split.to_manifest`.
        pairs: as `duplicates.find` gives them.
        settings: the section `split`.
        task: the section `task`.
    """
    patient = table["patient_id"].fillna(table["image_id"])
    table = table.assign(joined=table["group"], group=patient)
    usable = table[table["status"] == "ok"]
    between = pairs[pairs["between"]]
    faulty = table.index[table["reason"].isin(faults.REASONS)]
    sides = {name: manifest.of_split(usable, name) for name in SPLITS}
    folds = {int(str(fold)): rows for fold, rows in usable.groupby("fold")}
    return {
        "flow": flow.count(table),
        "splits": {
            name: _count(side, task) | {"groups": int(side["joined"].nunique())}
            for name, side in sides.items()
        },
        "table_one": flow.table_one(usable),
        "shared": {f"{a} and {b}": _shared(usable, between, a, b) for a, b in BETWEEN},
        "folds": {f"fold {fold}": _count(rows, task) for fold, rows in folds.items()},
        "fold": settings.fold if settings.folds else None,
        "images": len(usable),
        "quarantined": int(
            ((table["status"] != "ok") & ~table["reason"].isin(manifest.GONE)).sum()
        ),
        "faults": _faults(table),
        "patients": int(usable["group"].nunique()),
        "images_without_patient_id": int(usable["patient_id"].isna().sum()),
        "batches": int(table["batch"].nunique()),
        "sides_from_source": [side for side in SPLITS if side in set(table["source_split"])],
        "on_leak": settings.mode,
        "dropped_from_batch": settings.dropped_from,
        **leaks.count(table, faults.without(between, faulty)),
        "dropped": _dropped(table, settings, task),
        "duplicates": _duplicates(table, pairs),
    }


def _faults(table: pd.DataFrame) -> dict[str, int]:
    """How many images are quarantined for each fault of their own."""
    counts = table["reason"].value_counts()
    return {reason: int(counts[reason]) for reason in faults.REASONS if reason in counts}


def _dropped(table: pd.DataFrame, settings: Split, task: Task) -> dict[str, Any]:
    """What each side of the source's split has lost to its leaks."""
    if settings.mode != "drop":
        return {}
    rows = table[table["reason"] == manifest.LEAK]
    files = table[table["elsewhere"].notna() & (table["status"] == "ok")]
    files = files.assign(source_split=files["elsewhere"].str.split("|")).explode("source_split")
    lost = pd.concat([rows, files])
    sides = lost["source_split"].fillna("no side")
    return {
        side: _count(lost[sides == side], task)
        for side in (*SPLITS, "no side")
        if (sides == side).any()
    }


def _count(side: pd.DataFrame, task: Task) -> dict[str, Any]:
    named = [set(labels.names(label, task.kind)) for label in side["label"]]
    return {
        "images": len(side),
        "patients": int(side["group"].nunique()),
        "classes": {name: sum(name in names for names in named) for name in task.names},
    }


def _shared(usable: pd.DataFrame, pairs: pd.DataFrame, a: str, b: str) -> dict[str, int]:
    """What stands on both sides: patients, joined groups of them, and pairs of like pictures."""
    one, other = (usable[usable["split"] == side] for side in (a, b))
    ends = [pairs[end].map(usable["split"]) for end in ("first", "second")]
    across = (ends[0].eq(a) & ends[1].eq(b)) | (ends[0].eq(b) & ends[1].eq(a))
    return {
        "patients": len(set(one["group"]) & set(other["group"])),
        "groups": len(set(one["joined"]) & set(other["joined"])),
        "duplicates": int(across.sum()),
    }


def _duplicates(table: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    between = pairs[pairs["between"]]
    joined = table.drop_duplicates("group")
    sizes = joined["joined"].value_counts()
    return {
        "pairs_between_patients": len(between),
        "of_them_with_the_same_pixels": int(between["equal"].sum()),
        "of_them_under_two_labels": int(findings.two_labels(table, between).sum()),
        "patients_joined_to_another": int((joined["joined"] != joined["group"]).sum()),
        "patients_of_the_largest_group": int(sizes.max()) if len(sizes) else 0,
        "quarantined_settled_on_another_side": int(table["reason"].eq(joining.APART).sum()),
        "quarantined_same_picture_under_two_labels": int(
            table["reason"].eq(joining.TWO_LABELS).sum()
        ),
        "like_pictures_under_two_labels": int(
            (findings.two_labels(table, pairs) & ~pairs["same"]).sum()
        ),
    }


def summary(numbers: Mapping[str, Any]) -> str:
    """The receipt as a small table, and what a person should know."""
    splits = numbers["splits"] | numbers["folds"]
    rows = [["split", "images", "patients", *splits["train"]["classes"]]]
    for name, side in splits.items():
        counts = [side["images"], side["patients"], *side["classes"].values()]
        rows.append([name, *(f"{count:,}" for count in counts)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
    return "\n".join([*lines, *remarks(numbers)])


def remarks(numbers: Mapping[str, Any]) -> list[str]:
    """What a person should know."""
    copies = numbers["duplicates"]
    told = {
        f"{wording.leak(numbers)} stand on two sides of the source's split: "
        f"{_done_about_leak(numbers)}": wording.leak(numbers),
        f"{numbers['images_without_patient_id']:,} of {numbers['images']:,} images have no "
        "patient_id: each counts as a patient of its own, and a person with several images may "
        "stand on two sides": numbers["images_without_patient_id"],
        f"{copies['pairs_between_patients']:,} pairs of the same picture in two patients: "
        f"{copies['patients_joined_to_another']:,} patients joined another on its side": copies[
            "pairs_between_patients"
        ],
        f"{copies['patients_of_the_largest_group']:,} patients are one group because pictures of "
        "theirs are alike. Neighbouring slices of a stack are, so give the source's patient ids": (
            copies["patients_of_the_largest_group"] > MANY
        ),
        f"{copies['quarantined_settled_on_another_side']:,} images quarantined: they repeat one "
        "that was settled on another side": copies["quarantined_settled_on_another_side"],
        f"{copies['quarantined_same_picture_under_two_labels']:,} images quarantined: their "
        "picture stands under two labels": copies["quarantined_same_picture_under_two_labels"],
        f"{copies['like_pictures_under_two_labels']:,} pairs of like pictures, such as "
        f"neighbouring slices, under two labels: {paths.SPLIT_FINDINGS} lists them": copies[
            "like_pictures_under_two_labels"
        ],
        "the source's own val is part of the folds": numbers["folds"]
        and "val" in numbers["sides_from_source"],
    }
    faulty = [
        f"{wording.count(count, 'image')} quarantined: {why}"
        for why, count in numbers["faults"].items()
    ]
    return [*(remark for remark, holds in told.items() if holds), *faulty]


def _done_about_leak(numbers: Mapping[str, Any]) -> str:
    if numbers["on_leak"] == "drop":
        lost, since = wording.lost(numbers) or "nothing", numbers["dropped_from_batch"]
        before = f"; before batch {since} all are on one side, as `move` placed them" * bool(since)
        return f"{lost} left out, what is nearer to the test stays (split.on_leak: drop){before}"
    return "they are kept as they are, so figures on test may flatter (split.on_leak: report)"
