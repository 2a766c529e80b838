"""What the split stage tells: how the manifest is split in numbers, and which images it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.common import labels, manifest, paths, wording
from tasks.common.manifest import SPLITS
from tasks.splitting import duplicates, joining
from tasks.splitting.duplicates import Likeness

if TYPE_CHECKING:
    from tasks.common.params.split import Split
    from tasks.common.params.task import Task

BETWEEN = (("train", "val"), ("train", "test"), ("val", "test"))
DONE_ABOUT_LEAK = {
    "report": "they are kept as they are, so figures on test may flatter (split.on_leak: report)",
    "move": "each went to one side, train before val before test (split.on_leak: move)",
}
FINDINGS = [
    *("finding", "image_id", "group", "batch", "label", "source_split", "split", "reason"),
    *("other_image_id", "other_group", "distance", "similarity"),
]


def receipt(table: pd.DataFrame, like: Likeness, settings: Split, task: Task) -> dict[str, Any]:
    """How the manifest is split, in numbers that name nobody."""
    patient = table["patient_id"].fillna(table["image_id"])
    table = table.assign(joined=table["group"], group=patient)
    usable = table[table["status"] == "ok"]
    sides = {name: manifest.of_split(usable, name) for name in SPLITS}
    folds = {int(str(of)): rows for of, rows in usable.groupby("fold")}
    return {
        "splits": {name: _count(side, task) for name, side in sides.items()},
        "shared": {f"{a} and {b}": _shared(usable, like.pairs, a, b) for a, b in BETWEEN},
        "folds": {f"fold {fold}": _count(rows, task) for fold, rows in folds.items()},
        "fold": settings.fold if settings.folds else None,
        "images": len(usable),
        "quarantined": int(
            ((table["status"] != "ok") & ~table["reason"].isin(manifest.GONE)).sum()
        ),
        "patients": int(usable["group"].nunique()),
        "images_without_patient_id": int(usable["patient_id"].isna().sum()),
        "batches": int(table["batch"].nunique()),
        "sides_from_source": [side for side in SPLITS if side in set(table["source_split"])],
        "on_leak": settings.on_leak,
        **leak(table, like.pairs),
        "duplicates": _duplicates(table, like),
    }


def leak(table: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """How much the source's own split has on two sides; `wording.leak` says it."""
    groups, there = on_two_sides(table), ~table["reason"].isin(manifest.GONE)
    return {
        "patients_on_two_sides": len(groups),
        "images_of_patients_on_two_sides": int(table[there]["group"].isin(groups).sum()),
        "pictures_on_two_sides": len(pairs_on_two_sides(table, pairs)),
    }


def on_two_sides(table: pd.DataFrame) -> list[str]:
    """The groups that the source's own split has on more than one side, with images on each."""
    there = table[~table["reason"].isin(manifest.GONE)]
    sides = there.groupby("group")["source_split"].nunique()
    return sorted(sides[sides > 1].index)


def pairs_on_two_sides(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs that the source's own split has on two sides and that came in one batch. Of a pair
    that came in two, the newer image is quarantined instead.
    """
    first, second = (
        table.loc[pairs[end], ["source_split", "batch"]].reset_index(drop=True)
        for end in ("first", "second")
    )
    given = first["source_split"].notna() & second["source_split"].notna()
    apart = given & (first["source_split"] != second["source_split"])
    return pairs[(apart & (first["batch"] == second["batch"])).to_numpy(bool)]


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


def _duplicates(table: pd.DataFrame, like: Likeness) -> dict[str, int]:
    first, second = (like.pairs[end] for end in ("first", "second"))
    same = like.same.reindex(table.index)
    equal = first.map(same).eq(second.map(same)) & first.map(same).notna()
    joined = table.drop_duplicates("group")
    return {
        "pairs_between_patients": len(like.pairs),
        "of_them_with_the_same_pixels": int(equal.sum()),
        "of_them_under_two_labels": int(
            first.map(table["label"]).ne(second.map(table["label"])).sum()
        ),
        "patients_joined_to_another": int((joined["joined"] != joined["group"]).sum()),
        "quarantined_settled_on_another_side": int(table["reason"].eq(joining.APART).sum()),
        "quarantined_same_pixels_under_two_labels": int(
            table["reason"].eq(joining.TWO_LABELS).sum()
        ),
        "too_flat_to_compare": int(
            ((table["status"] == "ok") & (table["std"] < duplicates.FLAT)).sum()
        ),
    }


def write_findings(table: pd.DataFrame, like: Likeness) -> None:
    """List the images behind the numbers, by pseudonym and digest."""
    rows = table.reindex(columns=[*table.columns, *(set(FINDINGS) - set(table.columns))])
    patient = rows["patient_id"].fillna(rows["image_id"])
    leaking = rows[patient.isin(on_two_sides(rows.assign(group=patient)))]
    pixels = like.same.dropna()
    same = rows.loc[pixels.index].assign(pixels=pixels)
    doubted = same[same.groupby("pixels")["label"].transform("nunique") > 1]
    pairs = like.pairs.set_index("second", drop=False)
    alike = rows.loc[pairs.index].assign(
        other_image_id=rows["image_id"].loc[pairs["first"]].to_numpy(),
        other_group=patient.loc[pairs["first"]].to_numpy(),
        distance=pairs["distance"].to_numpy(),
        similarity=pairs["similarity"].round(4).to_numpy(),
    )
    found = {
        "patient on two sides of the source's split": leaking,
        "same pixels under two labels": doubted,
        "same picture in two patients": alike,
    }
    listed = pd.concat(
        [part.assign(finding=name, group=patient.loc[part.index]) for name, part in found.items()]
    )
    paths.SPLIT_FINDINGS.parent.mkdir(parents=True, exist_ok=True)
    order = ["finding", "group", "image_id", "other_image_id"]
    listed.sort_values(order)[FINDINGS].to_csv(
        paths.SPLIT_FINDINGS, index=False, lineterminator="\n"
    )


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
    done, leaking = DONE_ABOUT_LEAK.get(numbers["on_leak"], ""), wording.leak(numbers)
    told = {
        f"{leaking} stand on two sides of the source's split: {done}": leaking,
        f"{numbers['images_without_patient_id']:,} of {numbers['images']:,} images have no "
        "patient_id: each counts as a patient of its own, and a person with several images may "
        "stand on two sides": numbers["images_without_patient_id"],
        f"{copies['pairs_between_patients']:,} pairs of the same picture in two patients: "
        f"{copies['patients_joined_to_another']:,} patients joined another on its side": copies[
            "pairs_between_patients"
        ],
        f"{copies['quarantined_settled_on_another_side']:,} images quarantined: they repeat one "
        "that was settled on another side": copies["quarantined_settled_on_another_side"],
        f"{copies['quarantined_same_pixels_under_two_labels']:,} images quarantined: their pixels "
        "stand under two labels": copies["quarantined_same_pixels_under_two_labels"],
        f"{copies['too_flat_to_compare']:,} images show nothing and were not compared": copies[
            "too_flat_to_compare"
        ],
        "the source's own val is part of the folds": numbers["folds"]
        and "val" in numbers["sides_from_source"],
    }
    return [remark for remark, holds in told.items() if holds]
