"""What stands on two sides of the source's own split, and what is done about it.

With `split.on_leak: drop` a leaking patient keeps the side nearest to the test, and of a leaking
picture the copy nearest to the test stays; what the source has on an earlier side is quarantined.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import paths, wording
from tasks.common.errors import LeakError
from tasks.common.manifest import GONE, SPLITS
from tasks.common.params.split import Split

ORDER = {name: place for place, name in enumerate(SPLITS)}


class Settled(NamedTuple):
    """What `drop` makes of the sides; without it nothing.

    Attributes:
        sides: of each row, patients who came on several sides on the last of them.
        given: the side of the source's that each row counts for.
        dropped: whether a row is quarantined because its patient stands on another side.
    """

    sides: pd.Series[str]
    given: pd.Series[str]
    dropped: pd.Series[bool]


def by_side(table: pd.DataFrame) -> pd.DataFrame:
    """With one side in `source_split`: of several, on which the source shows the same file, the one
    nearest to the test; the others stand `elsewhere`, joined by |.
    """
    given = table["source_split"].astype("str")
    several = given.str.contains("|", regex=False, na=False)
    named = [sorted(names.split("|"), key=ORDER.__getitem__) for names in given[several]]
    found = table.assign(source_split=given, elsewhere=pd.Series(pd.NA, table.index, dtype="str"))
    found.loc[several, "source_split"] = [sides[-1] for sides in named]
    found.loc[several, "elsewhere"] = ["|".join(sides[:-1]) for sides in named]
    return found


def check(table: pd.DataFrame, pairs: pd.DataFrame, settings: Split) -> None:
    """Refuse what `count` finds, if `split.on_leak` says so.

    Raises:
        LeakError: there is any.
    """
    found = wording.leak(count(table, pairs))
    if settings.mode == "fail" and found:
        raise LeakError(
            f"{found} stand on two sides of the source's split; {paths.SPLIT_FINDINGS} lists "
            "them. Fix the source, or set split.on_leak in params.yaml: `drop` quarantines what "
            "stands on the earlier side (train before val before test) and leaves test as it is, "
            "`report` keeps the source's split as it is and counts them"
        )


def count(table: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """How much the source's own split has on two sides; `wording.leak` says it. A file that it
    shows on two sides counts as a pair of copies.

    Args:
        table: `group` (the patients), `batch`, `source_split`, `elsewhere`, `status` and `reason`.
        pairs: of pictures in different groups, as `duplicates.find` gives them.
    """
    groups, there = on_two_sides(table), ~table["reason"].isin(GONE)
    files = table["elsewhere"].notna() & (table["status"] == "ok")
    return {
        "patients_on_two_sides": len(groups),
        "images_of_patients_on_two_sides": int(table[there]["group"].isin(groups).sum()),
        "pictures_on_two_sides": int(across(table, pairs).sum() + files.sum()),
    }


def on_two_sides(table: pd.DataFrame) -> list[str]:
    """The groups that the source's own split has on more than one side, with images on each."""
    there = table[~table["reason"].isin(GONE)]
    sides = there.groupby("group")["source_split"].nunique()
    return sorted(sides[sides > 1].index)


def across(
    table: pd.DataFrame, pairs: pd.DataFrame, given: pd.Series[str] | None = None
) -> NDArray[np.bool_]:
    """Which pairs the source's own split has on two sides, of those that came in one batch. Of a
    pair that came in two, the newer image is quarantined instead.
    """
    sides = table["source_split"] if given is None else given
    first, second = (sides.loc[pairs[end]].to_numpy(object) for end in ("first", "second"))
    batches = [table["batch"].loc[pairs[end]].to_numpy() for end in ("first", "second")]
    known = ~pd.isna(first) & ~pd.isna(second)
    found: NDArray[np.bool_] = known & (first != second) & (batches[0] == batches[1])
    return found.astype(bool)


def settle(table: pd.DataFrame, sides: pd.Series[str], settings: Split) -> Settled:
    """What `drop` makes of `sides`. A patient who came on several sides of the source's keeps the
    last, with the images there. One who came on one side keeps it, whatever the source says later.

    Args:
        table: `group` (the patients), `batch`, `source_split` and `reason` of each row.
        sides: of each row, as `assignment.assign` gives them.
        settings: the section `split`.
    """
    given = table["source_split"]
    if settings.mode != "drop":
        return Settled(sides, given, pd.Series(False, table.index))
    first = table[table["batch"] == table.groupby("group")["batch"].transform("min")]
    ranks: pd.Series[Any] = first["source_split"].map(ORDER)
    there = ranks.where(~first["reason"].isin(GONE)).groupby(first["group"])
    new = first.groupby("group")["batch"].first() >= settings.dropped_from
    several = (there.nunique() > 1) & new
    kept = there.max().where(several, ranks.groupby(first["group"]).min())
    kept, several = (
        table["group"].map(by_group) for by_group in (kept.map(dict(enumerate(SPLITS))), several)
    )
    leaking = table["group"].isin(on_two_sides(table)) & (table["batch"] >= settings.dropped_from)
    other = given.notna() & kept.notna() & (given != kept)
    dropped = (leaking & other) | (several & given.isna())
    return Settled(sides.where(~several, kept), given.where(~several, kept), dropped)


def mark(
    table: pd.DataFrame, pairs: pd.DataFrame, settled: Settled, settings: Split
) -> pd.DataFrame:
    """Which pairs are `leaking`, and which `loose`: they join nothing, for a leak costs the earlier
    side its copy, and groups that were settled without a look at a late pair stay apart. With
    `report` leaks join and are kept, so late ones of the source's own sides are left out here.

    Args:
        table: `batch` of each row.
        pairs: of pictures in different groups, as `duplicates.find` gives them.
        settled: as `settle` gives it.
        settings: the section `split`.
    """
    leaking = across(table, pairs, settled.given)
    new = (table["batch"].loc[pairs["first"]] >= settings.dropped_from).to_numpy()
    costly = leaking & new & (settings.mode != "report")
    marked = pairs.assign(leaking=leaking, loose=pairs["late"] | costly)
    return marked[~(pairs["late"] & leaking)] if settings.mode == "report" else marked
