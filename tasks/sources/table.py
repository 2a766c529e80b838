"""A CSV of `file,label[,patient_id][,split][,slice columns]`, checked whole before it is used.

Files are relative to the CSV. Slice columns are `age` (kept as a decade), `sex`, `site`, `device`
and those that `pull.slices` names; any other column is dropped, since it may identify a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tasks import demographics, labels
from tasks.errors import SourceError
from tasks.manifest import SPLITS
from tasks.sources import Item, Listing

REQUIRED = ("file", "label")
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


def read_table(path: Path, named: Sequence[str], kind: str) -> Listing:
    """List the rows of the CSV at `path`; `named` is `pull.slices`, `kind` is `task.kind`.

    Raises:
        SourceError: columns, files or values are missing or not allowed; the message collects
            all, with their row in the file (the header is row 1).
    """
    table = _load(path)
    _check_columns(path, table, named)
    slices = {name: known for name, known in KNOWN_SLICES.items() if name in table}
    slices |= {name: (f"slice_{name}", str) for name in named if name not in KNOWN_SLICES}
    _check_rows(path, table, slices, kind)
    dropped = [c for c in table.columns if c not in {*REQUIRED, *OPTIONAL, *slices}]
    return Listing([_item(path.parent, row, slices, kind) for row in _rows(table)], _about(dropped))


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


def _check_columns(path: Path, table: pd.DataFrame, named: Sequence[str]) -> None:
    missing = [column for column in (*REQUIRED, *named) if column not in table.columns]
    reserved = [column for column in named if column in (*REQUIRED, *OPTIONAL)]
    problems = [f"column {column!r} is missing" for column in missing]
    problems += [f"pull.slices names {column!r}, which is no slice" for column in reserved]
    if not problems and table.empty:
        problems = ["it has no rows"]
    if problems:
        raise SourceError(
            f"{path} must hold file,label[,patient_id][,split][,slices]: {'; '.join(problems)}; "
            f"received {_received(table, named)}"
        )


def _received(table: pd.DataFrame, named: Sequence[str]) -> str:
    """The recognised columns; others are counted: without a header they are the first image's."""
    recognised = {*REQUIRED, *OPTIONAL, *KNOWN_SLICES, *named}
    found = [repr(column) for column in table.columns if column in recognised]
    return f"the columns {', '.join(found) or 'none'} and {table.shape[1] - len(found)} others"


def _check_rows(path: Path, table: pd.DataFrame, slices: Slices, kind: str) -> None:
    root = path.parent
    found = table["file"].map(lambda file: bool(file) and (root / file).is_file())
    problems = _spell(found[~found.astype(bool)], f"no such file under {root}")
    if kind != "multilabel":  # there an empty label says that nothing was found
        problems += _spell(table[table["label"] == ""], "label is empty")
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


def _item(root: Path, row: Mapping[str, str], slices: Slices, kind: str) -> Item:
    names = labels.names(row["label"], kind)
    return Item(
        name=row["file"],
        read=(root / row["file"]).read_bytes,
        label=labels.SEPARATOR.join(sorted(names)),
        patient_id=row.get("patient_id") or None,
        source_split=row.get("split") or None,
        slices={
            column: convert(row[name]) for name, (column, convert) in slices.items() if row[name]
        },
    )
