"""A folder of class folders, a CSV of `file,label[,patient_id][,split][,slices]`, or an archive."""

from __future__ import annotations

import mimetypes
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tasks.common.errors import SourceError
from tasks.sources import Item, Listing, masks
from tasks.sources.archive import is_archive, unpack
from tasks.sources.split_names import side_of
from tasks.sources.table import read_table
from tasks.sources.tree import Tree

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ""}
LAYOUT = "<class>/<files>, or train/<class>/<files> beside val/ and test/, or a CSV of file,label"
TABLE = "labels.csv"  # of an archive, at its top
OTHER = "other"  # an ending that is no common one may be a name, as in scan.smith
OUTSIDE = "files outside of the class folders"
TABLES = "tables beside the class folders, which count only where pull.path names them"


def listing(pull: Pull, kind: str) -> Listing:
    """List the images under `pull.path`.

    Raises:
        SourceError: the path is missing, or what is there cannot be read as images with labels.
    """
    path = Path(pull.path or "").expanduser()
    if path.is_dir():
        return read_class_folders(Tree(path, pull.exclude))
    if path.is_file() and is_archive(path):
        return read_archive(path, pull, kind)
    if path.is_file():
        listed = read_table(path, pull.slices, pull.columns.named, kind)
        return _less_excluded(listed, Tree(path.parent, pull.exclude))
    raise SourceError(
        f"pull.path must be {LAYOUT}, or an archive of either; what it names is not there"
    )


def read_archive(path: Path, pull: Pull, kind: str) -> Listing:
    """The images in an archive: those of `labels.csv` at its top, or its class folders.

    A single folder at the top, other than one of a split, is stepped into if it holds either.

    Raises:
        SourceError: the archive is refused, its table names files outside it, or as for a folder.
    """
    tree = Tree(unpack(path), pull.exclude)
    top = None if tree.files_in(tree.root) else tree.only_folder(tree.root)
    if top and not side_of(top.name) and ((top / TABLE).is_file() or _holds_folders(top)):
        tree.step_into(top)
    root = tree.root
    if not (root / TABLE).is_file():
        return read_class_folders(tree)
    listed = read_table(root / TABLE, pull.slices, pull.columns.named, kind)
    named = [name for item in listed.items for name in (item.name, *item.masks)]
    inside = [(root / name).resolve().is_relative_to(root.resolve()) for name in named]
    if not all(inside):
        raise SourceError(
            f"{TABLE} of the archive must name files in it; {inside.count(False):,} of its "
            "rows name others: fix their column of files"
        )
    return _less_excluded(listed, tree)


def read_class_folders(tree: Tree) -> Listing:
    """Each first-level folder is a class, or a side of a split with the classes below it.

    Single folders above those of a split, as in `chest_xray/train`, are stepped into.

    Raises:
        SourceError: folders of a split stand beside others, or there is no image in a class.
    """
    for folder in _way_to_split(tree):
        _pass_stray_by(tree, [tree.root])
        tree.step_into(folder)
    folders = tree.folders(tree.root)
    sides = _sides(folders)
    if sides and len(sides) < len(folders):
        raise _mixed("under pull.path", len(sides), len(folders) - len(sides))
    classes = {
        f: sides.get(parent) for parent in sides or [tree.root] for f in tree.folders(parent)
    }
    if nested := len(_sides(list(classes))):
        raise _mixed("below those of a split", nested, len(classes) - nested)
    stray = _pass_stray_by(tree, [tree.root, *sides])
    items = [item for folder, side in classes.items() for item in _items(folder, side, tree)]
    if not items:
        raise SourceError(_without_images(stray, len(sides), len(classes), tree))
    return tree.listing(items, _below_classes(items, depth=2 if sides else 1), [])


def _pass_stray_by(tree: Tree, parents: Sequence[Path]) -> list[Path]:
    """The files beside class folders, which are passed by."""
    stray = [file for parent in parents for file in tree.files_in(parent)]
    tables = {file for file in stray if file.suffix.lower() == ".csv"}
    tree.pass_by(TABLES, tables)
    tree.pass_by(OUTSIDE, set(stray) - tables)
    return stray


def _below_classes(items: Sequence[Item], depth: int) -> list[str]:
    """A note on images in a folder that is named as a split's, but stands below a class."""
    within = (PurePosixPath(item.name).parts[depth:-1] for item in items)
    lost = sum(any(map(side_of, folders)) for folders in within)
    note = (
        f"{lost:,} images lie in folders named as the sides of a split below a class, which count "
        "as none: put the split above the classes, or give it in a CSV"
    )
    return [note] if lost else []


def _way_to_split(tree: Tree) -> list[Path]:
    """The single folders, each in the one before, that lead to the folders of a split."""
    way: list[Path] = []
    folder = tree.only_folder(tree.root)
    while folder and not side_of(folder.name):
        way.append(folder)
        if any(side_of(p.name) and _holds_folders(p) for p in folder.iterdir() if p.is_dir()):
            return way
        folder = tree.only_folder(folder)
    return []


def _holds_folders(folder: Path) -> bool:
    return any(path.is_dir() for path in folder.iterdir())


def _sides(folders: Sequence[Path]) -> dict[Path, str]:
    return {folder: side for folder in folders if (side := side_of(folder.name))}


def _mixed(where: str, splits: int, others: int) -> SourceError:
    """Folders named as a split's where they cannot be meant so; counted, as names may identify."""
    return SourceError(
        f"required: {LAYOUT}; received {where}: {splits:,} folders named as the sides of a split, "
        f"such as train, Testing and valid, beside {others:,} others. Leave out what is no class "
        "by pull.exclude, or give classes of such names in a CSV of file,label"
    )


def _items(folder: Path, side: str | None, tree: Tree) -> list[Item]:
    """The images of one class folder."""
    images: list[Path] = []
    others: defaultdict[str, list[Path]] = defaultdict(list)
    for file in tree.files(folder):
        suffix = _suffix(file)
        known = suffix if suffix in mimetypes.types_map else OTHER
        (images if suffix in SUFFIXES else others[known]).append(file)
    for suffix, files in others.items():
        tree.pass_by(f"files that are no images ({suffix})", files)
    of_pictures = masks.among(images)
    tree.pass_by(masks.REASON, of_pictures)
    beside: defaultdict[Path, dict[str, Callable[[], bytes]]] = defaultdict(dict)
    for mask, picture in of_pictures.items():
        beside[picture][tree.name(mask)] = mask.read_bytes
    return [
        Item(tree.name(file), file.read_bytes, folder.name, source_split=side, masks=beside[file])
        for file in images
        if file not in of_pictures
    ]


def _suffix(file: Path) -> str:
    """In small letters; digits alone are part of a name, as in 1.2.840.10008."""
    suffix = file.suffix.lower()
    return "" if suffix[1:].isdigit() else suffix


def _without_images(stray: Sequence[Path], sides: int, classes: int, tree: Tree) -> str:
    """What to say where no class has an image."""
    images = sum(_suffix(file) in SUFFIXES for file in stray)
    fix = (
        "set pull.path to the table"
        if tree.passed_by[TABLES]
        else "put the images of each class into a folder of its own, or list them in a CSV"
    )
    split = f"{sides:,} folders of a split, " * bool(sides)
    return (
        f"required: {LAYOUT}; received under pull.path: {split}{classes:,} class folders, none "
        f"with an image, {images:,} images outside of them"
        f"{''.join(f'; {each}' for each in tree.counts())}: {fix}"
    )


def _less_excluded(listed: Listing, tree: Tree) -> Listing:
    """A table's images without those that `pull.exclude` names."""
    items = [item for item in listed.items if not tree.excludes(item.name)]
    if not items:
        raise SourceError(
            f"required: images; received: {len(listed.items):,}, and pull.exclude matches each: "
            "shorten it"
        )
    return tree.listing(items, listed.notes, listed.details)
