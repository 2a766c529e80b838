"""The three tables, one row per image, each a superset of the one before; who owns which column.

    data/raw/cohort.parquet (pull) -> data/processed/images.parquet (preprocess)
                                   -> data/manifest.parquet (split)

Later stages read the manifest only and never list folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tasks.common import paths, slices
from tasks.common.errors import DataError

# Column -> (pandas dtype, meaning). `tasks.common.slices` adds those of a source.
COHORT = {
    "image_id": (
        "str",
        "keyed id of the file (`tasks.intake.file_ids`), plus `-<frame>` in a multi-frame one",
    ),
    "path": ("str", "file under data/raw; missing where nothing could be copied"),
    "reason": ("str", "why it is not used: not copied, two labels, excluded; missing where it is"),
    "batch": ("int64", "which pull brought it, from 0"),
    "label": ("str", "class name; several of a multi-label image joined by |"),
    "patient_id": ("str", "keyed pseudonym; missing where the source has none"),
    "study_id": ("str", "keyed pseudonym of the study UID"),
    "series_id": ("str", "keyed pseudonym of the series UID"),
    "instance_id": ("str", "keyed pseudonym of the instance UID"),
    # In cohort and images several joined by |, where the source shows the same file on each.
    "source_split": ("str", "train, val or test where the source says so"),
    "age_band": ("str", "decade such as 60-69; 90+ is open"),
    "sex": ("str", "F, M or O"),
    "site": ("str", "where it was taken"),
    "device": ("str", "manufacturer and model"),
    "modality": ("str", "of the DICOM header, such as CT"),
    "body_part": ("str", "of the DICOM header, such as CHEST"),
    "bits": ("Int64", "stored bits of a sample"),
    "compression": ("str", "name of the transfer syntax, else the file's format, such as png"),
    "source_name": ("str", "keyed pseudonym of the file's name at the source"),
    "mask": (
        "str",
        "file under data/raw that shows where findings are; missing where unknown",
    ),
}
# Columns of the cohort that came later: missing values in one that was written before.
LATER = ("modality", "body_part", "bits", "compression", "source_name", "mask")
# Reasons of rows that no file stands behind any more. They hold no more than what the split draws
# by: without them, the patients of their batch would be drawn anew, some from train to test.
WITHDRAWN, REPLACED = "withdrawn", "replaced by a later file"
GONE = (WITHDRAWN, REPLACED)
EXCLUDED = "excluded by a person"
UNCOUNTED = (*GONE, EXCLUDED)  # they say nothing of how good the source is
# Reason of rows that `split.on_leak: drop` has taken out.
LEAK = "leak: its patient, or a copy of it, stands on a later side of the source's split as well"
IMAGES = COHORT | {
    "height": ("Int64", "pixels of the original"),
    "width": ("Int64", "pixels of the original"),
    "mean": ("float64", "of the prepared image, of 255"),
    "std": ("float64", "of the prepared image"),
    "min": ("float64", "of the prepared image"),
    "max": ("float64", "of the prepared image"),
    "phash": ("str", "64-bit perceptual hash, hexadecimal"),
    "status": ("str", "ok or quarantined"),
    "reason": ("str", "why it is quarantined"),
    "row": ("int64", "row in the pack; -1 where it has no pixels"),
}
MANIFEST = IMAGES | {
    "group": ("str", "what never stands on two sides: patients, else images, that share a picture"),
    "split": ("str", "train, val or test; missing where quarantined"),
    "fold": ("Int64", "of train and val, from 0, where split.folds asks for them"),
}
SPLITS = ("train", "val", "test")
SHORTEST = 8  # characters of an id that may stand for it


def read(path: Path, columns: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Read a table and hold it to its contract; what a cohort could not have yet is empty.

    Raises:
        DataError: the file or a column is missing.
    """
    if not path.exists():
        raise DataError(f"{path} not found: `dvc repro` makes it from data/raw")
    table = pd.read_parquet(path)
    missing = [column for column in columns if column not in table.columns]
    if columns is COHORT and set(missing) <= set(LATER):
        for column in missing:
            table[column] = pd.Series(index=table.index, dtype=columns[column][0])
    elif missing:
        raise DataError(f"{path} lacks the columns {missing}: `dvc repro -f` writes it anew")
    return table


def write(table: pd.DataFrame, path: Path, columns: dict[str, tuple[str, str]]) -> None:
    """Write `table` with the contract's columns first and in their types; the same table gives
    the same bytes. Columns outside the contract are kept only if they are slices.
    """
    extra = slices.further(table)
    ordered = table.reindex(columns=[*columns, *extra])
    types = {column: dtype for column, (dtype, _) in columns.items()} | dict.fromkeys(extra, "str")
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered.astype(types).reset_index(drop=True).to_parquet(path, index=False)


def read_manifest() -> pd.DataFrame:
    """The manifest's usable rows (status ok), in pack order."""
    table = read(paths.MANIFEST, MANIFEST)
    return table[table["status"] == "ok"].sort_values("row").reset_index(drop=True)


def of_split(manifest: pd.DataFrame, split: str) -> pd.DataFrame:
    """The rows of one split, in pack order, with a fresh index."""
    return manifest[manifest["split"] == split].reset_index(drop=True)


def find(known: Sequence[str], given: Sequence[str]) -> list[str]:
    """The ids among `known` that begin as given.

    Raises:
        DataError: none does, or several do.
    """
    found = []
    for start in given:
        ids = [one for one in known if one.startswith(start) and len(start) >= SHORTEST]
        if len(ids) != 1:  # without the id, which may be a name
            raise DataError(
                f"required: an image_id of {paths.MANIFEST}, or {SHORTEST} or more of its first "
                f"characters; received: one that {'several begin with' if ids else 'none has'}"
            )
        found += ids
    return found
