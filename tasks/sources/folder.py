"""A folder of class folders, or a CSV of `file,label[,patient_id][,split][,any slice column]`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tasks.errors import SourceError
from tasks.manifest import SPLITS
from tasks.params import Pull
from tasks.sources import Item, Listing
from tasks.sources.table import read_table

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ""}
LAYOUT = "<class>/<files>, or train/<class>/<files> beside val/ and test/, or a CSV of file,label"


def listing(pull: Pull, kind: str) -> Listing:
    """List the images under `pull.path`.

    Raises:
        SourceError: the path is missing, or what is there cannot be read as images with labels.
    """
    path = Path(pull.path or "").expanduser()
    if path.is_dir():
        return read_class_folders(path)
    if path.is_file():
        return read_table(path, pull.slices, kind)
    raise SourceError(f"pull.path must be {LAYOUT}; {pull.path!r} is not there")


def read_class_folders(root: Path) -> Listing:
    """Each first-level folder is a class, or a split with the classes below it."""
    folders = _folders(root)
    splits = [folder for folder in folders if folder.name in SPLITS]
    if splits and len(splits) < len(folders):
        others = len(folders) - len(splits)  # a count: names of folders may identify
        raise SourceError(
            f"{root} mixes split folders with others ({others} of them); required: {LAYOUT}"
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
            if file.suffix.lower() in SUFFIXES:
                name = file.relative_to(root).as_posix()
                items.append(Item(name, file.read_bytes, folder.name, source_split=split))
            else:
                ignored[file.suffix.lower()] += 1
    if not items:
        raise SourceError(f"{root} holds no images; required: {LAYOUT}")
    return Listing(items, _about_ignored(ignored))


def _about_ignored(ignored: Counter[str]) -> list[str]:
    if not ignored:
        return []
    counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(ignored.items()))
    return [f"ignored files that are no images: {counts}"]


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
