"""A CSV of `key,label[,patient_id][,split][,slice columns]`, checked whole before it is used.

Slice columns are `age` (kept as a decade), `sex`, `site`, `device` and those that `pull.slices`
names; any other column is dropped, since it may identify a person. `pull.columns` says where the
CSV calls one otherwise. For the log everything is counted or named by its line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from errno import ENAMETOOLONG
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.common import labels
from tasks.common.errors import SourceError
from tasks.common.manifest import SPLITS
from tasks.common.paths import StateEntry
from tasks.common.slices import column_of
from tasks.privacy import demographics
from tasks.sources import Item, Listing, boxes, delimited
from tasks.sources.headers import FILE
from tasks.sources.split_names import side_of

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

LABEL = "label"
# Only where `pull.columns` names the column: the file of a mask, boxes around findings.
MASK, BOX = "mask", "box"
OPTIONAL = ("patient_id", "split")

# Column of the CSV -> column of the cohort and how a value is brought into its form.
KNOWN_SLICES: dict[str, tuple[str, Callable[[str], str]]] = {
    "age": ("age_band", lambda text: demographics.age_band(demographics.years(text))),
    "sex": ("sex", demographics.sex),
    "site": ("site", str),
    "device": ("device", str),
}
Slices = Mapping[str, tuple[str, Callable[[str], str]]]


@dataclass(frozen=True)
class Row:
    """What the table says about the images of one key; fields as in `Item`."""

    key: str
    label: str
    patient_id: str | None = None
    source_split: str | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    mask: str | None = None
    box: str | None = None

    def item(self, name: str, read: Callable[[], bytes], root: Path | None = None) -> Item:
        """One image of the row; what `mask` names lies below `root`."""
        masks = {self.mask: (root / self.mask).read_bytes} if root and self.mask else {}
        masks |= {BOX: boxes.mask_of(self.box, read)} if self.box else {}
        said = self.label, self.patient_id, self.source_split, self.slices
        return Item(name, read, *said, masks)


@dataclass(frozen=True)
class Rows:
    """What a table says by its keys, with notes and details as in `Listing`."""

    by_key: Mapping[str, Row] = field(default_factory=dict)
    notes: Sequence[str] = ()
    details: Sequence[str] = ()


@dataclass(frozen=True)
class Form:
    """How a CSV is read.

    Attributes:
        what: how a message calls it.
        keys: names of the column of keys; the first that is there counts.
        named: columns that the CSV calls otherwise, by their own names (`pull.columns`).
        slices: further columns that are kept (`pull.slices`).
        kind: `task.kind`.
    """

    what: str
    keys: Sequence[str]
    named: Mapping[str, str]
    slices: Sequence[str]
    kind: str

    def columns(self, header: Sequence[str]) -> dict[str, str]:
        """The columns that are used, by their own names; `FILE` is the column of keys. What is
        named or required is among them even where the header has no such column.
        """
        key = next((name for name in self.keys if name in header), self.keys[0])
        own = {FILE: key, LABEL: LABEL} | dict(self.named)
        own |= {c: c for c in OPTIONAL if c in header and c not in {*own, *own.values()}}
        known = {c: c for c in KNOWN_SLICES if c in header and c not in own.values()}
        return own | known | {c: c for c in self.slices}

    def fits(self, header: Sequence[str]) -> bool:
        """Whether a header has all of them."""
        return set(self.columns(header).values()) <= set(header)


def read_table(path: Path, slices: Sequence[str], named: Mapping[str, str], kind: str) -> Listing:
    """List the CSV at `path`, whose column `file` holds paths relative to it.

    `slices` is `pull.slices`, `named` `pull.columns.named`, `kind` `task.kind`.

    Raises:
        SourceError: columns, files or values are missing or not allowed; the message collects
            all, with their lines in the file.
    """
    root = path.parent

    def absent(table: pd.DataFrame) -> list[str]:
        found = table[FILE].map(lambda file: bool(file) and _is_file(root / file))
        problems = _spell(table[~found.astype(bool)], "no such file beside the CSV")
        if MASK in table:
            found = table[MASK].map(lambda file: not file or _is_file(root / file))
            problems += _spell(table[~found.astype(bool)], "no such mask beside the CSV")
        if BOX in table:
            wrong = table[BOX].map(lambda text: _refusal(text, boxes.parse)).notna()
            problems += _spell(table[wrong], boxes.FORM)
        return problems

    form = Form("the CSV of pull.path", [FILE], named, slices, kind)
    rows, notes, details = _read(path, form, absent)
    items = [row.item(row.key, (root / row.key).read_bytes, root) for row in rows]
    return Listing(items, notes, details)


def read_labels(pull: Pull, kind: str) -> Rows:
    """What the CSV `pull.labels.table` says; its column of keys is called `key`, or as
    `pull.labels.key` says, or as `pull.columns.file` names it.

    Raises:
        SourceError: it is not there, columns or values are missing or not allowed, or two rows of
            one key differ; the message collects all.
    """
    path, key = Path(pull.labels.table or "").expanduser(), pull.labels.key

    def unclear(table: pd.DataFrame) -> list[str]:
        apart = table.drop_duplicates()
        return [
            *_spell(table[table[FILE] == ""], "the key is empty"),
            *_spell(apart[apart[FILE].duplicated()], "an earlier row says otherwise of this key"),
        ]

    if not path.is_file():
        raise SourceError(f"pull.labels.table must be a CSV of {key},label; it is not there")
    what = "the CSV of pull.labels.table"
    named = {own: name for own, name in pull.columns.named.items() if own not in (MASK, BOX)}
    form = Form(what, ["key", key], named, pull.slices, kind)
    rows, notes, details = _read(path, form, unclear)
    return Rows({row.key: row for row in rows}, notes, details)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == ENAMETOOLONG:
            return False
        raise


def _read(
    path: Path, form: Form, check: Callable[[pd.DataFrame], list[str]]
) -> tuple[list[Row], list[str], list[str]]:
    """The rows, notes and details; `check` gives the problems that only the caller can see."""
    cells = delimited.read(path, form.what, form.fits)
    used = form.columns(list(cells.columns))
    _check_columns(cells, used, form)
    table = cells[list(used.values())].set_axis(list(used), axis=1)
    if "split" in table:
        table["split"] = table["split"].map(lambda name: side_of(name) or name)
    if form.keys[-1] == FILE:  # ./a.dcm is a.dcm
        table[FILE] = table[FILE].map(lambda file: file and PurePosixPath(file).as_posix())
    slices = {name: known for name, known in KNOWN_SLICES.items() if name in table}
    slices |= {name: (column_of(name), str) for name in form.slices if name not in KNOWN_SLICES}
    _check_rows(table, slices, form, check(table))
    dropped = [column for column in cells.columns if column and column not in used.values()]
    rows = [_row(row, slices, form.kind) for row in _rows(table)]
    return rows, _about(dropped), [f"dropped column of the CSV: {name}" for name in dropped]


def _about(dropped: list[str]) -> list[str]:
    if not dropped:
        return []
    return [
        f"columns of the CSV dropped, as they may identify: {len(dropped)}. pull.slices keeps "
        f"those it names; {StateEntry.PULL_DETAILS.path.name} in the state folder lists them"
    ]


def _check_columns(cells: pd.DataFrame, used: Mapping[str, str], form: Form) -> None:
    header = list(cells.columns)
    problems = []
    for own, column in used.items():
        if column not in header:
            problems.append(f"{_called(own, form)} is missing")
        elif header.count(column) > 1:
            problems.append(f"{_called(own, form)} is there {header.count(column)} times")
    if used[FILE] == used[LABEL]:
        problems.append("pull.columns names one column twice")
    no_slices = {FILE, LABEL, *OPTIONAL, *form.keys, *form.named.values()}
    problems += [
        f"pull.slices names as its entry {number} a column that is no slice"
        for number, column in enumerate(form.slices, start=1)
        if column in no_slices
    ]
    if not problems and cells.empty:
        problems = ["it has no rows"]
    if problems:
        raise SourceError(
            f"{form.what} must hold {form.keys[0]},label[,patient_id][,split][,slices], separated "
            f"by commas, semicolons or tabs: {'; '.join(problems)}; received "
            f"{_received(header, form)}. pull.columns says what the CSV calls them"
        )


def _called(own: str, form: Form) -> str:
    """A column as a message calls it: names that are no words of ours are those of parameters."""
    if own in form.named:
        return f"the column that pull.columns.{own} names"
    if own in form.slices and own not in KNOWN_SLICES:
        return f"the column that pull.slices names as its entry {form.slices.index(own) + 1}"
    names = dict.fromkeys(form.keys) if own == FILE else [own]
    return f"column {' or '.join(map(repr, names))}"


def _received(header: Sequence[str], form: Form) -> str:
    """The recognised columns; others are counted: without a header they are the first image's."""
    ours = {*form.keys, LABEL, *OPTIONAL, *KNOWN_SLICES}
    there = [column for column in dict.fromkeys(header) if column in ours]
    others = len(header) - sum(column in ours for column in header)
    return f"the columns {', '.join(map(repr, there)) or 'none'} and {others} others"


def _check_rows(table: pd.DataFrame, slices: Slices, form: Form, problems: list[str]) -> None:
    if form.kind != "multilabel":  # there an empty label says that nothing was found
        problems = problems + _spell(table[table[LABEL] == ""], "label is empty")
    if "split" in table:
        bad = ~table["split"].isin([*SPLITS, ""])
        problems += _spell(table[bad], f"split must be {', '.join(SPLITS)} or empty")
    for column, (_, convert) in slices.items():
        reasons = table[column].map(lambda value, convert=convert: _refusal(value, convert))
        for reason, rows in reasons.groupby(reasons):
            problems += _spell(rows, str(reason))
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise SourceError(f"{form.what} cannot be used:\n{listed}")


def _refusal(value: str, convert: Callable[[str], object]) -> str | None:
    try:
        _ = value and convert(value)
    except ValueError as error:
        return str(error)
    return None


def _spell(bad: pd.DataFrame | pd.Series[Any], why: str) -> list[str]:
    """Rows are named by line alone: file names and values may identify, and errors are logged."""
    return [] if bad.empty else [f"{why}: {delimited.spell_lines(list(bad.index))}"]


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.to_numpy().tolist()]


def _row(row: Mapping[str, str], slices: Slices, kind: str) -> Row:
    return Row(
        key=row[FILE],
        label=labels.SEPARATOR.join(sorted(labels.names(row[LABEL], kind))),
        patient_id=row.get("patient_id") or None,
        source_split=row.get("split") or None,
        slices={
            column: convert(row[name]) for name, (column, convert) in slices.items() if row[name]
        },
        mask=row.get(MASK) or None,
        box=row.get(BOX) or None,
    )
