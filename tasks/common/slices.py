"""Slices: the subgroups for which figures are given too, such as those of one sex or one site.

Some columns of the tables are slices by themselves. What else `pull.slices` keeps of a source has
a prefix in its column's name, so that none is taken for a column of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")
Flags = NDArray[np.bool_]

KNOWN = ("age_band", "sex", "site", "device")
PREFIX = "slice_"
LONGEST_NUMBER = 9  # characters


def column_of(name: str) -> str:
    """The column of a slice that `pull.slices` names."""
    return f"{PREFIX}{name}"


def name_of(column: str) -> str:
    """What the slices of a column are called; other columns keep their names."""
    return column.removeprefix(PREFIX)


def further(table: pd.DataFrame) -> list[str]:
    """The columns that `pull.slices` has added, in order."""
    return sorted(c for c in map(str, table.columns) if c.startswith(PREFIX))


def compared(table: pd.DataFrame) -> list[str]:
    """The slice columns that hold at least two values."""
    named = [c for c in table.columns if c in KNOWN or str(c).startswith(PREFIX)]
    return [c for c in named if table[c].nunique() > 1]


def values(column: ArrayLike) -> list[str]:
    """The values of a slice column `(N,)`, in order: batch 10 behind batch 2."""
    present = {value for value in np.asarray(column, object) if isinstance(value, str)}
    return sorted(present, key=lambda v: v.zfill(LONGEST_NUMBER) if v.isdecimal() else v)


def each(table: pd.DataFrame) -> Iterator[tuple[str, Flags]]:
    """Every slice as `column=value`, with the rows `(N,)` that are in it."""
    for column in compared(table):
        for value in values(table[column]):
            yield f"{column}={value}", (table[column] == value).to_numpy(bool)


def nested(
    columns: Mapping[str, ArrayLike], measure: Callable[[Flags], T]
) -> dict[str, dict[str, T]]:
    """Column -> value -> what `measure` says of the images `(N,)` with it.

    `columns` has the values `(N,)` of each column; missing ones belong to no slice.
    """
    arrays = {column: np.asarray(given, object) for column, given in columns.items()}
    return {
        column: {value: measure(np.asarray(given == value, bool)) for value in values(given)}
        for column, given in arrays.items()
    }
