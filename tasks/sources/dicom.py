"""A tree of DICOM files with any names; labels from a table or from a field of the header.

What is left out is counted in notes and never named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR, tag_for_keyword

from tasks.common import labels
from tasks.common.errors import SourceError
from tasks.sources import Listing
from tasks.sources.headers import FILE, KEYS, Header, in_order, read_headers
from tasks.sources.selection import chosen
from tasks.sources.table import Row, Rows, read_labels
from tasks.sources.tree import Tree

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

OF_ONE_IMAGE = (FILE, "SOPInstanceUID")  # the other keys name all that belongs to something
FIELD_VRS = ("CS", "DS", "IS", "LO", "SH", "US")  # codes, numbers and short text
HARMLESS = ("PatientSex",)  # the cohort holds it anyway

UNLABELLED = "DICOM files without a label"
DAMAGED = "damaged DICOM files without a label"
NO_PICTURE = "DICOM objects that are no picture, such as reports, plans and segmentations"


def listing(pull: Pull, kind: str) -> Listing:
    """List the DICOM files under `pull.path`; errors as in `list_tree`."""
    return list_tree(Path(pull.path or "").expanduser(), pull, kind)


def list_tree(root: Path, pull: Pull, kind: str, notes: Sequence[str] = ()) -> Listing:
    """List the DICOM files under `root`, labelled as `pull.labels` and chosen as `pull.take` say.

    The core of every source that ends in a tree of DICOM files. An item's name is its path
    relative to `root`, so a file must have the same one at every pull. A file that begins like
    DICOM but is damaged is listed if the table has a label for its path: pull quarantines it.

    Args:
        root: the folder.
        pull: the settings of which only `labels`, `slices`, `exclude` and `take` matter here.
        kind: `task.kind`.
        notes: what the source itself has to say; they come first.

    Raises:
        SourceError: no such folder, no DICOM file in it, labels that cannot be used, or no file
            with a label.
    """
    told = load_labels(pull, kind)
    tree = Tree(root, pull.exclude)
    headers, others = read_headers(tree, pull.labels.field)
    rows, key = told.by_key, str(pull.labels.key)
    if pull.labels.field:
        rows, key = _rows_of_field(headers, pull.labels.field, kind), FILE
    matched = {h.name: rows[h.keys[key]] for h in headers if h.keys.get(key) in rows}
    if not matched:
        said_by = "".join(f"; {each}" for each in tree.counts())
        raise SourceError(f"{_without_labels(headers, others, rows, pull)}{said_by}")
    bare = [header for header in headers if header.name not in matched]
    named = key in OF_ONE_IMAGE and not pull.labels.field  # then the label is for this very file
    pictures = [h for h in headers if h.name in matched and (named or h.picture)]
    taken = _take(pictures, pull.take)
    damaged = sum(header.damaged for header in bare)
    left_out = {
        "files that are no DICOM": others,
        DAMAGED: damaged,
        UNLABELLED: len(bare) - damaged,
        NO_PICTURE: len(matched) - len(pictures),
        f"images by pull.take ({pull.take})": len(pictures) - len(taken),
    }
    about = [f"left out: {count:,} {what}" for what, count in left_out.items() if count]
    if unused := len(rows.keys() - {h.keys.get(key) for h in headers}):
        about.append(f"labels of the table that match no file: {unused:,}")
    items = [matched[h.name].item(h.name, (root / h.name).read_bytes) for h in taken]
    return tree.listing(items, [*notes, *told.notes, *about], told.details)


def load_labels(pull: Pull, kind: str) -> Rows:
    """The rows of `pull.labels.table`; none with `pull.labels.field`.

    Needs no image, so a source that downloads asks for it first.

    Raises:
        SourceError: the table or the field cannot be used.
    """
    if pull.labels.field:
        check_field(pull.labels.field)
        return Rows()
    return read_labels(pull, kind)


def check_field(field: str) -> None:
    """Refuse a header field that is unknown or may identify: its values become class names.

    Raises:
        SourceError: it is no keyword of the standard, no code, number or short text, or one that
            the Basic Profile of DICOM PS3.15 (table E.1-1) removes.
    """
    from dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c import ALL_TAGS

    tag = tag_for_keyword(field)
    if tag is None:
        why = "is no keyword of the DICOM standard"
    elif (tag >> 16, tag & 0xFFFF) in ALL_TAGS and field not in HARMLESS:
        why = "may identify"
    elif dictionary_VR(tag) not in FIELD_VRS:
        why = "is neither a code, a number nor a short text"
    else:
        return
    raise SourceError(
        f"pull.labels.field must be a header field such as BodyPartExamined; {field!r} {why}: "
        "name another field, or give the labels in a CSV, pull.labels.table"
    )


def _rows_of_field(headers: Sequence[Header], field: str, kind: str) -> dict[str, Row]:
    several = sum(len(header.values) > 1 for header in headers)
    if several and kind != "multilabel":
        raise SourceError(
            f"pull.labels.field must hold one value per image unless task.kind is multilabel; "
            f"{field} holds several in {several:,} files: name another field, or give the labels "
            "in a CSV, pull.labels.table"
        )
    return {
        h.name: Row(h.name, labels.SEPARATOR.join(sorted(h.values))) for h in headers if h.values
    }


def _without_labels(
    headers: Sequence[Header], others: int, rows: Mapping[str, Row], pull: Pull
) -> str:
    """What to say where no file has a label; names the keys by which some would have one."""
    received = f"received: {len(headers):,} DICOM and {others:,} other files"
    if not headers:
        return f"required: DICOM files; {received}: fix pull.path"
    if pull.labels.field:
        return f"required: DICOM files with a value of {pull.labels.field}; {received}, none has it"
    fits = [key for key in (FILE, *KEYS) if any(h.keys.get(key) in rows for h in headers)]
    fix = (
        f"set pull.labels.key to {' or '.join(fits)}"
        if fits
        else (f"fix the column of pull.labels.table: it must hold {_meaning(pull.labels.key)}")
    )
    return (
        f"required: DICOM files with a label by their {pull.labels.key}; {received} and "
        f"{len(rows):,} labels, none of which fits: {fix}"
    )


def _meaning(key: str) -> str:
    return "paths relative to pull.path" if key == FILE else f"values of {key}"


def _take(pictures: Sequence[Header], take: str) -> list[Header]:
    """The slices chosen of each series; a file that names no series stands alone."""
    series: defaultdict[str, list[Header]] = defaultdict(list)
    for header in pictures:
        series[header.keys.get("SeriesInstanceUID", header.name)].append(header)
    ordered = [in_order(members) for members in series.values()]
    return [members[i] for members in ordered for i in chosen(len(members), take)]
