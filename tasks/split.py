"""Stage: put each group, patients or images that share a picture, on one side for good."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from tasks.common import documents, labels, manifest, paths, wording
from tasks.common.errors import LeakError, command
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.common.params.split import Split
from tasks.common.params.task import Task
from tasks.imaging.pack import open_pack
from tasks.intake import cohort
from tasks.splitting import duplicates, joining, receipt
from tasks.splitting.assignment import assign, assign_folds
from tasks.splitting.duplicates import Likeness


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    split: Split


def to_manifest(
    images: pd.DataFrame,
    settings: Split,
    task: Task,
    like: Likeness,
    known: Mapping[str, str] = MappingProxyType({}),
) -> pd.DataFrame:
    """Add `group`, `split` and `fold`, and quarantine copies that cannot be on one side with their
    like or under one label; the split of quarantined images is missing.

    Args:
        images: the table of images, with the `group` of `by_patient`.
        settings: the section `split`.
        task: the section `task`.
        like: which pictures are alike.
        known: as in `joining.join`.

    Raises:
        DataError: a label is none of the task's classes.
        LeakError: as in `check_leak`.
    """
    usable = images["status"] == "ok"
    labels.check(images.loc[usable, "label"], task.kind, task.names)
    check_leak(images, like.pairs, settings)
    roots, bridges = joining.join(images, like.pairs, known)
    # Quarantined images take part, so that a file read better later moves nobody.
    sides = joining.place(images, assign(images, settings, task.kind), roots, settings.on_leak)
    table = images.assign(group=images["group"].map(lambda group: roots.get(group, group)))
    fold = assign_folds(table, sides, settings, task.kind)
    places = fold.astype("object").where(fold.notna(), sides)
    doubted = joining.two_labels(table, like.same, task.kind)
    apart = joining.apart(bridges, places, doubted)
    table.loc[[*doubted, *apart], "status"] = "quarantined"
    table.loc[list(doubted), "reason"] = joining.TWO_LABELS
    table.loc[list(apart), "reason"] = joining.APART
    if settings.folds:
        sides = sides.mask(fold.notna(), "train").mask(fold.eq(settings.fold).fillna(False), "val")
    usable = table["status"] == "ok"
    return table.assign(split=sides.where(usable), fold=fold.where(usable))


def by_patient(images: pd.DataFrame) -> pd.DataFrame:
    """With each image's patient as its `group`, or itself where it has none."""
    return images.assign(group=images["patient_id"].fillna(images["image_id"]))


def check_leak(table: pd.DataFrame, pairs: pd.DataFrame, settings: Split) -> None:
    """Refuse groups and pictures on two sides of the source's split, if `split.on_leak` says so.

    Raises:
        LeakError: there are such.
    """
    found = wording.leak(receipt.leak(table, pairs))
    if settings.on_leak != "fail" or not found:
        return
    raise LeakError(
        f"{found} stand on two sides of the source's split; "
        f"{paths.SPLIT_FINDINGS} lists them. "
        "Mend the source, or set split.on_leak in params.yaml: `move` puts each of them on one "
        "side (train before val before test), `report` keeps the source's split as it is and "
        "counts them"
    )


@command
def main() -> None:
    """Write the manifest, what was found on the way, and the receipt of the split."""
    settings = load(Settings)
    images = by_patient(manifest.read(paths.IMAGES, manifest.IMAGES))
    like = duplicates.compare(images, open_pack())
    receipt.write_findings(images, like)
    table = to_manifest(images, settings.split, settings.task, like, cohort.read_joined())
    receipt.write_findings(table, like)
    numbers = receipt.receipt(table, like, settings.split, settings.task)
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    documents.write_json(paths.SPLIT_RECEIPT, numbers)
    print(receipt.summary(numbers), flush=True)


if __name__ == "__main__":
    main()
