"""Stage: put each group, patients or images that share a picture, on one side for good."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd
from pydantic import Field

from tasks.common import documents, labels, manifest, paths
from tasks.common.errors import LeakError, command
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.common.params.split import Split
from tasks.common.params.task import Task
from tasks.common.params.validate import ImageLimits
from tasks.imaging.pack import made_with, open_pack
from tasks.intake import cohort
from tasks.splitting import duplicates, faults, findings, joining, leaks, receipt
from tasks.splitting.assignment import assign, assign_folds


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    split: Split
    validate_: ImageLimits = Field(alias="validate")


def prepared(images: pd.DataFrame) -> pd.DataFrame:
    """With each image's patient as its `group`, or itself where it has none, and one side of the
    source's split.
    """
    return leaks.by_side(images.assign(group=images["patient_id"].fillna(images["image_id"])))


def to_manifest(
    images: pd.DataFrame,
    settings: Settings,
    pairs: pd.DataFrame,
    known: Mapping[str, str] = MappingProxyType({}),
) -> pd.DataFrame:
    """Add `group`, `split` and `fold`, and quarantine what cannot be on one side with its like or
    under one label, what leaks, and what is no good by itself; its split is missing. It takes part
    in drawing and joining all the same, so nobody moves when it comes or goes.

    Args:
        images: the table of images, `prepared`.
        settings: of the stage.
        pairs: of like pictures, as `duplicates.find` gives them.
        known: as in `joining.join`.

    Raises:
        DataError: a label is none of the task's classes.
        LeakError: as in `leaks.check`.
    """
    split, kind, usable = settings.split, settings.task.kind, images["status"] == "ok"
    labels.check(images.loc[usable, "label"], kind, settings.task.names)
    between, faulty = pairs[pairs["between"]], faults.find(images[usable], settings.validate_)
    leaks.check(images, faults.without(between, faulty), split)
    settled = leaks.settle(images, assign(images, split, kind), split)
    links = leaks.mark(images, between, settled, split)
    roots, bridges = joining.join(images, links, known)
    sides = joining.place(images, settled.sides, roots, split.mode)
    table = images.assign(
        group=images["group"].map(lambda group: roots.get(group, group)), side=sides
    )
    fold = assign_folds(table, sides, split, kind)
    reasons = dict.fromkeys(joining.two_labels(table, pairs, kind), joining.TWO_LABELS)
    reasons |= dict.fromkeys(images.index[settled.dropped & usable], manifest.LEAK)
    reasons |= faulty
    places = fold.astype("object").where(fold.notna(), sides)
    for leaking, reason in ((True, manifest.LEAK), (False, joining.APART)):
        parted = bridges[bridges["leaking"] == leaking]
        reasons |= dict.fromkeys(joining.apart(parted, table, places, reasons), reason)
    table.loc[list(reasons), "status"] = "quarantined"
    table.loc[list(reasons), "reason"] = list(reasons.values())
    if split.folds:
        sides = sides.mask(fold.notna(), "train").mask(fold.eq(split.fold).fillna(False), "val")
    usable = table["status"] == "ok"
    return table.assign(split=sides.where(usable), fold=fold.where(usable)).drop(columns="side")


@command
def main() -> None:
    """Write the manifest, what was found on the way, and the receipt of the split."""
    settings = load(Settings)
    images = prepared(manifest.read(paths.IMAGES, manifest.IMAGES))
    pairs = duplicates.compare(images, open_pack(), made_with().fit)
    try:
        table = to_manifest(images, settings, pairs, cohort.read_joined())
    except LeakError:  # it says where they are listed
        findings.write(images, pairs)
        raise
    findings.write(table, pairs)
    numbers = receipt.receipt(table, pairs, settings.split, settings.task)
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    documents.write_json(paths.SPLIT_RECEIPT, numbers)
    print(receipt.summary(numbers), flush=True)


if __name__ == "__main__":
    main()
