"""Which split a patient gets, settled once and for good.

Batches are settled in their order, each with its own seed and without a look at later ones, so what
comes later changes nothing: the test set only grows, and nobody moves from train to test. What is
drawn keeps to its shares within two units in total, and in each stratum within two units per batch.

What is settled as one is a unit: a group, or in mode `report` a group on one side of the source's
split, because there the source's split is kept even where a group stands on two sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.common import labels
from tasks.common.manifest import SPLITS

if TYPE_CHECKING:
    from tasks.common.params.split import Split

VAL_FROM_TRAIN = 0.1  # share of the source's train groups that become val where the source has none
FOLDS = 1  # apart from the seed of the sides


def assign(table: pd.DataFrame, settings: Split, kind: str) -> pd.Series[str]:
    """The split of every row, without a look at duplicates.

    Where the source gives a split it is kept; a val or test that the source lacks is cut from its
    train. A group with rows on several sides goes to train before val before test, so that nobody
    the source trains on is tested. Other groups are drawn.

    Args:
        table: `group`, `batch`, `label` and `source_split` of each row.
        settings: the section `split`.
        kind: of the task.
    """
    table = table.assign(unit=_unit_of(table, settings.mode))
    settled: dict[str, str] = {}
    held: dict[str, str] = {}  # groups drawn before the source gave them a side
    offered: set[str] = set()
    shares = {"train": 1 - settings.val - settings.test, "val": settings.val, "test": settings.test}
    dealt = dict.fromkeys(shares, 0)
    units = _units(table, kind)
    units["cut"] = (units["sides"] == 1) | (settings.mode != "drop")
    units["cut"] |= units["batch"] < settings.dropped_from  # as `move` had it
    for batch, came in units.groupby("batch"):
        generator = np.random.default_rng([settings.seed, int(str(batch))])
        offered |= set(came["side"].dropna())
        _follow_source(came, settled, held, _cuts(offered, settings), generator)
        drawn = came[came["side"].isna() & ~came["unit"].isin(settled)]
        held |= draw(drawn, shares, dealt, generator)
        settled |= held
    return table["unit"].map(settled)


def assign_folds(
    table: pd.DataFrame, sides: pd.Series[str], settings: Split, kind: str
) -> pd.Series[Any]:
    """The fold of every row on train or val, Int64; missing on test, and where no folds are asked
    for. A group keeps its fold as batches come.

    Args:
        table: `group`, `batch` and `label` of each row.
        sides: of each row.
        settings: the section `split`.
        kind: of the task.
    """
    if settings.folds is None:
        return pd.Series(pd.NA, index=table.index, dtype="Int64")
    rest = table[sides != "test"].assign(unit=table["group"])
    shares = {str(fold): 1 / settings.folds for fold in range(settings.folds)}
    dealt, folds = dict.fromkeys(shares, 0), dict[str, str]()
    for batch, units in _units(rest, kind).groupby("batch"):
        generator = np.random.default_rng([settings.seed, int(str(batch)), FOLDS])
        folds |= draw(units, shares, dealt, generator)
    return rest["unit"].map(folds).astype("Int64").reindex(table.index)


def draw(
    units: pd.DataFrame,
    shares: Mapping[str, float],
    dealt: dict[str, int],
    generator: np.random.Generator,
) -> dict[str, str]:
    """Draw `shares` of the units, each stratum gets its part of each.

    One stratum after the other is dealt out in random order, always to the side that lacks most:
    both the whole and every stratum come within a unit or two of their shares. What earlier
    batches `dealt` is counted too, and counted on, so that small batches keep to the shares.
    """
    shuffled = units.sort_values("unit").iloc[generator.permutation(len(units))]
    sides, before = {}, sum(dealt.values())
    for count, unit in enumerate(
        shuffled.sort_values("stratum", kind="stable")["unit"], before + 1
    ):
        lacks = {side: share * count - dealt[side] for side, share in shares.items()}
        sides[unit] = max(lacks, key=lacks.__getitem__)
        dealt[sides[unit]] += 1
    return sides


def _unit_of(table: pd.DataFrame, on_leak: str) -> pd.Series[str]:
    if on_leak != "report":
        return table["group"]
    return (table["group"] + "/" + table["source_split"]).fillna(table["group"])


def _units(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """One row per unit, as its first batch shows it: group, the source's side, how many it is on,
    and the labels.
    """
    rows = table[table["batch"] == table.groupby("unit")["batch"].transform("min")]
    units = _by_side(rows, "source_split").groupby("unit")
    found = units.agg(
        batch=("batch", "first"),
        group=("group", "first"),
        side=("source_split", "first"),
        sides=("source_split", "nunique"),
    ).reset_index()
    return found.assign(stratum=found["unit"].map(_strata(rows, kind)))


def _strata(rows: pd.DataFrame, kind: str) -> dict[str, str]:
    """The class names of each unit, joined by |."""
    named: dict[str, set[str]] = {unit: set() for unit in rows["unit"].unique()}
    labelled = rows[["unit", "label"]].dropna().drop_duplicates()
    for unit, label in labelled.to_numpy().tolist():
        named[unit].update(labels.names(label, kind))
    return {unit: "|".join(sorted(names)) for unit, names in named.items()}


def _by_side(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Train first, then val, test and what has no side."""
    return rows.sort_values(column, key=lambda side: side.map(SPLITS.index, na_action="ignore"))


def _cuts(offered: set[str], settings: Split) -> dict[str, float]:
    """What to make of the source's train: the sides that it has not offered so far are cut."""
    wanted = {"val": VAL_FROM_TRAIN, "test": settings.test} if offered else {}
    cuts = {side: share for side, share in wanted.items() if side not in offered}
    return {"train": 1 - sum(cuts.values()), **cuts}


def _follow_source(
    units: pd.DataFrame,
    settled: dict[str, str],
    held: Mapping[str, str],
    cuts: Mapping[str, float],
    generator: np.random.Generator,
) -> None:
    """Settle the units that the source has on a side, and with the first of a group its later
    images without a side. Groups on several sides are not cut, unless they go to one: they would
    spoil val as well. A group that an earlier batch drew stays on the side it was `held` to,
    whatever the source says.
    """
    given = _by_side(units[units["side"].notna()], "side")
    alone = ~given["group"].duplicated(keep=False) & ~given["group"].isin(settled)
    cut = draw(
        given[alone & given["cut"] & (given["side"] == "train")],
        cuts,
        dict.fromkeys(cuts, 0),
        generator,
    )
    for unit, group, side in given[["unit", "group", "side"]].to_numpy().tolist():
        settled[unit] = held.get(group, cut.get(unit, side))
        settled.setdefault(group, settled[unit])
