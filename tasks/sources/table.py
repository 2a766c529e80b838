"""A CSV of `key,label[,patient_id][,split][,slice columns]`, checked whole before it is used.

Slice columns are `age` (kept as a decade), `sex`, `site`, `device` and those that `pull.slices`
names; any other column is dropped, since it may identify a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from tasks.common import labels
from tasks.common.errors import SourceError
from tasks.common.manifest import SPLITS
from tasks.privacy import demographics
from tasks.sources import Item, Listing
from tasks.sources.headers import FILE
from tasks.sources.split_names import side_of

OPTIONAL = ("patient_id", "split")
SHOWN = 10  # problems of one kind that a message spells out

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

    def item(self, name: str, read: Callable[[], bytes]) -> Item:
        """One image of the row."""
        return Item(name, read, self.label, self.patient_id, self.source_split, self.slices)


def read_table(path: Path, named: Sequence[str], kind: str) -> Listing:
    """List the CSV at `path`, whose column `file` holds paths relative to it.

    `named` is `pull.slices`, `kind` is `task.kind`.

    Raises:
        SourceError: columns, files or values are missing or not allowed; the message collects
            all, with their row in the file (the header is row 1).
    """
    root = path.parent

    def absent(table: pd.DataFrame) -> list[str]:
        found = table[FILE].map(lambda file: bool(file) and (root / file).is_file())
        return _spell(found[~found.astype(bool)], f"no such file under {root}")

    rows, notes = _read(path, [FILE], named, kind, absent)
    return Listing([row.item(row.key, (root / row.key).read_bytes) for row in rows], notes)


def read_labels(
    path: Path, key: str, named: Sequence[str], kind: str
) -> tuple[dict[str, Row], list[str]]:
    """What the CSV at `path` says by key, and notes; its column is called `key` or as `key` says.

    `named` is `pull.slices`, `kind` is `task.kind`.

    Raises:
        SourceError: it is not there, columns or values are missing or not allowed, or two rows of
            one key differ; the message collects all.
    """
    column = "key"
    used = {column, "label", *OPTIONAL, *KNOWN_SLICES, *named}

    def unclear(table: pd.DataFrame) -> list[str]:
        apart = table[[c for c in table if c in used]].drop_duplicates()
        return [
            *_spell(table[table[column] == ""], "the key is empty"),
            *_spell(apart[apart[column].duplicated()], "an earlier row says otherwise of this key"),
        ]

    if not path.is_file():
        raise SourceError(f"pull.labels.table must be a CSV of {key},label; {path} is not there")
    rows, notes = _read(path, [column, key], named, kind, unclear)
    return {row.key: row for row in rows}, notes


def _read(
    path: Path,
    keys: Sequence[str],
    named: Sequence[str],
    kind: str,
    check: Callable[[pd.DataFrame], list[str]],
) -> tuple[list[Row], list[str]]:
    """The rows and notes; the key's column has one of the names `keys` and comes out as the first.

    `check` gives the problems that only the caller can see.
    """
    table = _load(path)
    if keys[0] not in table:
        table = table.rename(columns={keys[-1]: keys[0]})
    _check_columns(path, table, keys, named)
    if "split" in table:
        table["split"] = table["split"].map(lambda name: side_of(name) or name)
    if keys[-1] == FILE:  # ./a.dcm is a.dcm
        table[keys[0]] = table[keys[0]].map(lambda file: file and PurePosixPath(file).as_posix())
    slices = {name: known for name, known in KNOWN_SLICES.items() if name in table}
    slices |= {name: (f"slice_{name}", str) for name in named if name not in KNOWN_SLICES}
    _check_rows(path, table, slices, kind, check(table))
    dropped = [c for c in table.columns if c not in {keys[0], "label", *OPTIONAL, *slices}]
    return [_row(row, keys[0], slices, kind) for row in _rows(table)], _about(dropped)


def _about(dropped: list[str]) -> list[str]:
    if not dropped:
        return []
    columns = ", ".join(dropped)
    return [f"columns dropped, as they may identify (pull.slices keeps those it names): {columns}"]


def _load(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as a CSV in UTF-8: {error}") from None
    table.columns = table.columns.str.strip()
    stripped: pd.DataFrame = table.apply(lambda column: column.str.strip())
    return stripped


def _check_columns(
    path: Path, table: pd.DataFrame, keys: Sequence[str], named: Sequence[str]
) -> None:
    required = (keys[0], "label")
    missing = [column for column in (*required, *named) if column not in table.columns]
    reserved = [column for column in named if column in (*required, *OPTIONAL)]
    spelling = {keys[0]: " or ".join(map(repr, keys))}
    problems = [f"column {spelling.get(c, repr(c))} is missing" for c in missing]
    problems += [f"pull.slices names {column!r}, which is no slice" for column in reserved]
    if not problems and table.empty:
        problems = ["it has no rows"]
    if problems:
        raise SourceError(
            f"{path} must hold {','.join(required)}[,patient_id][,split][,slices]: "
            f"{'; '.join(problems)}; received {_received(table, [*required, *named])}"
        )


def _received(table: pd.DataFrame, asked: Sequence[str]) -> str:
    """The recognised columns; others are counted: without a header they are the first image's."""
    recognised = {*asked, *OPTIONAL, *KNOWN_SLICES}
    found = [repr(column) for column in table.columns if column in recognised]
    return f"the columns {', '.join(found) or 'none'} and {table.shape[1] - len(found)} others"


def _check_rows(
    path: Path, table: pd.DataFrame, slices: Slices, kind: str, problems: list[str]
) -> None:
    if kind != "multilabel":  # there an empty label says that nothing was found
        problems = problems + _spell(table[table["label"] == ""], "label is empty")
    if "split" in table:
        bad = ~table["split"].isin([*SPLITS, ""])
        problems += _spell(table[bad], f"split must be {', '.join(SPLITS)} or empty")
    for column, (_, convert) in slices.items():
        reasons = table[column].map(lambda value, convert=convert: _refusal(value, convert))
        for reason, rows in reasons.groupby(reasons):
            problems += _spell(rows, str(reason))
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise SourceError(f"{path} cannot be used:\n{listed}")


def _refusal(value: str, convert: Callable[[str], str]) -> str | None:
    try:
        _ = value and convert(value)
    except ValueError as error:
        return str(error)
    return None


def _spell(bad: pd.DataFrame | pd.Series[Any], why: str) -> list[str]:
    """Rows are named by number alone: file names and values may identify, and errors are logged."""
    if bad.empty:
        return []
    rows = ", ".join(str(int(str(row)) + 2) for row in bad.index[:SHOWN])
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return [f"{why}: row {rows}{more}"]


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.to_numpy().tolist()]


def _row(row: Mapping[str, str], key: str, slices: Slices, kind: str) -> Row:
    return Row(
        key=row[key],
        label=labels.SEPARATOR.join(sorted(labels.names(row["label"], kind))),
        patient_id=row.get("patient_id") or None,
        source_split=row.get("split") or None,
        slices={
            column: convert(row[name]) for name, (column, convert) in slices.items() if row[name]
        },
    )
