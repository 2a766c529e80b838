"""Which groups are one because pictures of theirs are, and what is done where they cannot be.

A group that an earlier batch settled, or that the source gave a side, is never moved to another:
a new group without a side joins it, and what links two of them is a bridge. Groups that come in
one batch with a side from the source are joined in any case; on two sides they are its leak.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd

from tasks.common import labels
from tasks.common.manifest import SPLITS

APART = "near duplicate of an image that was settled on another side"
NO_SIDE = len(SPLITS)
TWO_LABELS = "same picture as another image, under another label"


class Rank(NamedTuple):
    """Which of several groups is the first: the lowest."""

    batch: int
    side: int
    name: str


class Joined(NamedTuple):
    """What links make of groups.

    Attributes:
        roots: group -> the group whose side it takes; only those that join another.
        bridges: pairs that link what is not joined, in the order of their coming.
    """

    roots: dict[str, str]
    bridges: pd.DataFrame


def join(table: pd.DataFrame, pairs: pd.DataFrame, known: Mapping[str, str]) -> Joined:
    """Join groups batch by batch: what comes later changes nothing that was joined before.

    Args:
        table: `batch`, `group` and `source_split` of each row.
        pairs: `first` and `second`, labels of the index of `table`, of like pictures in different
            groups, in the order of their coming; those that are `loose` join nothing.
        known: group -> the group whose side it takes, for links whose pictures are gone.
    """
    ends = [table[["group", "batch"]].loc[pairs[end]] for end in ("first", "second")]
    groups = [end["group"].tolist() for end in ends]
    ranks = _ranks(table[table["group"].isin({*chain(*groups), *known, *known.values()})])
    roots = {group: group for group in ranks}
    roots |= {group: root for group, root in known.items() if group in ranks and root in ranks}
    bridges = []
    arrivals = np.maximum(*(end["batch"].to_numpy() for end in ends)).tolist()
    links = zip(*groups, arrivals, pairs["loose"].tolist(), strict=True)
    for number, (one, other, now, loose) in enumerate(links):
        a, b = sorted((_root(roots, one), _root(roots, other)), key=ranks.__getitem__)
        a_settled, b_settled = ranks[a].batch < now, ranks[b].batch < now
        if loose or (a_settled and (b_settled or ranks[b].side < NO_SIDE) and a != b):
            bridges.append(number)
        else:
            roots[b] = a
    joined = {group: _root(roots, group) for group in roots}
    return Joined(
        {group: root for group, root in joined.items() if group != root}, pairs.iloc[bridges]
    )


def place(
    table: pd.DataFrame, sides: pd.Series[str], roots: Mapping[str, str], on_leak: str
) -> pd.Series[str]:
    """`sides` with the members of joined groups on the side of the first of them.

    Args:
        table: `batch`, `group` and `source_split` of each row.
        sides: of each row, as assigned without a look at duplicates.
        roots: as in `Joined`.
        on_leak: with `report` a row keeps the side that the source gives it, where what joined is
            on two sides of the source's split.
    """
    if not roots:
        return sides
    root = table["group"].map(lambda group: roots.get(group, group))
    rows = table.assign(root=root, side=sides)[root.isin(set(roots.values()))]
    if on_leak == "report":
        rows["side"] = rows["side"].where(~_kept(rows), rows["source_split"])
    leading = rows[rows["group"] == rows["root"]]
    leading = leading.assign(order=leading["side"].map(SPLITS.index))
    first = leading.sort_values(["batch", "order"]).groupby("root")["side"].first()
    placed = rows["root"].map(first)
    if on_leak == "report":
        placed = placed.where(~_kept(rows), rows["source_split"])
    return placed.reindex(table.index).fillna(sides)


def _kept(rows: pd.DataFrame) -> pd.Series[bool]:
    """Rows on a side of the source's that is not the one side of all that were joined."""
    new = rows["batch"] == rows.groupby("group")["batch"].transform("min")
    given = rows["source_split"].where(new)
    of_group = given.groupby(rows["group"]).transform("nunique")
    of_root = given.groupby(rows["root"])
    alien = (of_root.transform("nunique") > 1) | (
        rows["source_split"] != of_root.transform("first")
    )
    return rows["source_split"].notna() & (of_group > 0) & alien


def apart(
    bridges: pd.DataFrame, table: pd.DataFrame, places: pd.Series[str], gone: Collection[int]
) -> set[int]:
    """Of every bridge whose ends are in different places the newer image, or of one batch the one
    on the earlier side, unless one of them is `gone` or taken out already.

    Args:
        bridges: `first` and `second`, labels of the index of `table`.
        table: `batch` and `side` of each row.
        places: of each row, a side or a fold.
        gone: rows that are quarantined for another reason.
    """
    out: set[int] = set()
    ends = [bridges[end] for end in ("first", "second")]
    place, batch, rank = (
        [values.loc[end].to_numpy() for end in ends]
        for values in (places.astype("object"), table["batch"], table["side"].map(SPLITS.index))
    )
    earlier = (batch[0] == batch[1]) & (rank[0] < rank[1])
    parted = np.column_stack([*ends, earlier])[place[0] != place[1]]
    for first, second, first_goes in parted.tolist():
        if not {first, second} & out and first not in gone and second not in gone:
            out.add(first if first_goes else second)
    return out


def two_labels(table: pd.DataFrame, pairs: pd.DataFrame, kind: str) -> set[int]:
    """Images of one picture under several labels: both of a pair that came in one batch, unless an
    older image contradicts one of them; of a pair that came in two the newer.

    Args:
        table: `batch` and `label` of each row.
        pairs: as `duplicates.find` gives them.
        kind: of the task.
    """
    names = {label: labels.names(label, kind) for label in table["label"].dropna().unique()}
    spelled = {label: labels.SEPARATOR.join(sorted(set(named))) for label, named in names.items()}
    label, batch = table["label"].map(spelled).to_numpy(object), table["batch"].to_numpy()
    ends = [pairs.loc[pairs["same"], end] for end in ("first", "second")]
    first, second = (table.index.get_indexer(end) for end in ends)
    doubted = label[first] != label[second]
    first, second = first[doubted], second[doubted]
    newer, both = np.zeros((2, len(table)), bool)
    for now in np.unique(batch[second]):
        came, older = batch[second] == now, batch[first] < now
        newer[second[came & older & ~newer[first]]] = True
        left = came & ~older & ~newer[first] & ~newer[second]
        both[first[left]] = both[second[left]] = True
    return set(table.index[newer | both].tolist())


def _ranks(rows: pd.DataFrame) -> dict[str, Rank]:
    """When and on which side of the source's each group was first seen."""
    first = rows[rows["batch"] == rows.groupby("group")["batch"].transform("min")]
    side = first["source_split"].map({name: k for k, name in enumerate(SPLITS)})
    seen = first.assign(side=side.fillna(NO_SIDE)).groupby("group")[["batch", "side"]].min()
    return {
        name: Rank(int(batch), int(side), name)
        for name, batch, side in seen.reset_index().to_numpy().tolist()
    }


def _root(roots: dict[str, str], group: str) -> str:
    while roots[group] != group:
        roots[group] = roots[roots[group]]
        group = roots[group]
    return group
