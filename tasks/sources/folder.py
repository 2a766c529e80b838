"""A folder of class folders, a CSV of `file,label[,patient_id][,split][,slices]`, or an archive."""

from __future__ import annotations

import mimetypes
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common.errors import SourceError
from tasks.common.manifest import SPLITS
from tasks.sources import Item, Listing
from tasks.sources.archive import is_archive, unpack
from tasks.sources.table import read_table

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ""}
LAYOUT = "<class>/<files>, or train/<class>/<files> beside val/ and test/, or a CSV of file,label"
TABLE = "labels.csv"  # of an archive, at its top
OTHERS = "others"  # an ending that is no common one may be a name, as in scan.smith


def listing(pull: Pull, kind: str) -> Listing:
    """List the images under `pull.path`.

    Raises:
        SourceError: the path is missing, or what is there cannot be read as images with labels.
    """
    path = Path(pull.path or "").expanduser()
    if path.is_dir():
        return read_class_folders(path)
    if path.is_file() and is_archive(path):
        return read_archive(path, pull, kind)
    if path.is_file():
        return read_table(path, pull.slices, pull.columns.named, kind)
    raise SourceError(
        f"pull.path must be {LAYOUT}, or an archive of either; what it names is not there"
    )


def read_archive(path: Path, pull: Pull, kind: str) -> Listing:
    """The images in an archive: those of `labels.csv` at its top, or its class folders.

    A single folder at the top, other than one of a split, is stepped into if it holds either.

    Raises:
        SourceError: the archive is refused, its table names files outside it, or as for a folder.
    """
    root = unpack(path)
    top = list(root.iterdir())
    if len(top) == 1 and top[0].is_dir() and top[0].name not in SPLITS:
        inner = top[0]
        root = inner if (inner / TABLE).is_file() or _folders(inner) else root
    if not (root / TABLE).is_file():
        return read_class_folders(root)
    listed = read_table(root / TABLE, pull.slices, pull.columns.named, kind)
    inside = [(root / item.name).resolve().is_relative_to(root.resolve()) for item in listed.items]
    if not all(inside):
        raise SourceError(
            f"{TABLE} of the archive must name files in it; {inside.count(False):,} of its rows "
            "name others: mend their column of files"
        )
    return listed


def read_class_folders(root: Path) -> Listing:
    """Each first-level folder is a class, or a split with the classes below it."""
    folders = _folders(root)
    splits = [folder for folder in folders if folder.name in SPLITS]
    if splits and len(splits) < len(folders):
        others = len(folders) - len(splits)  # a count: names of folders may identify
        raise SourceError(
            f"pull.path mixes split folders with others ({others} of them); required: {LAYOUT}"
        )
    classes = [
        (folder, folder.parent.name if splits else None)
        for parent in (splits or [root])
        for folder in _folders(parent)
    ]
    items: list[Item] = []
    ignored: Counter[str] = Counter()
    for folder, split in classes:
        for file in _files(folder):
            suffix = _suffix(file)
            if suffix in SUFFIXES:
                name = file.relative_to(root).as_posix()
                items.append(Item(name, file.read_bytes, folder.name, source_split=split))
            else:
                ignored[suffix if suffix in mimetypes.types_map else OTHERS] += 1
    if not items:
        raise SourceError(f"pull.path holds no images; required: {LAYOUT}")
    return Listing(items, _about_ignored(ignored))


def _suffix(file: Path) -> str:
    """In small letters; digits alone are part of a name, as in 1.2.840.10008."""
    suffix = file.suffix.lower()
    return "" if suffix[1:].isdigit() else suffix


def _about_ignored(ignored: Counter[str]) -> list[str]:
    if not ignored:
        return []
    counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(ignored.items()))
    return [f"ignored files that are no images: {counts}"]


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
