"""The images behind the numbers of the receipt: `reports/split_findings.csv`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.common import documents, paths
from tasks.splitting import leaks

OTHER = ("image_id", "group", "label", "source_split", "split")
COLUMNS = [
    *("finding", "image_id", "group", "batch", "label", "source_split", "split", "reason"),
    *(f"other_{name}" for name in OTHER),
    *("distance", "similarity"),
]


def write(table: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """List leaks and pairs by pseudonym and digest, a pair as its newer image with the `other`.

    Args:
        table: the table of images, with `split` and `reason` as far as they are known.
        pairs: as `duplicates.find` gives them.
    """
    rows = table.reindex(columns=list(dict.fromkeys([*table.columns, *COLUMNS])))
    rows["group"] = rows["patient_id"].fillna(rows["image_id"])
    leaking = {
        "patient on two sides of the source's split": rows["group"].isin(leaks.on_two_sides(rows)),
        "file on two sides of the source's split": rows["elsewhere"].notna(),
    }
    listed = [rows[of].assign(finding=name) for name, of in leaking.items()]
    likeness = np.where(pairs["same"], "same", "like")
    doubled = {"in two patients": pairs["between"], "under two labels": two_labels(rows, pairs)}
    for where, of in doubled.items():
        names = [f"{how} picture {where}" for how in likeness[of]]
        listed.append(_of_pairs(rows, pairs[of]).assign(finding=names))
    order = ["finding", "group", "image_id", "other_image_id"]
    documents.write_csv(paths.SPLIT_FINDINGS, pd.concat(listed)[COLUMNS].sort_values(order))


def two_labels(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series[bool]:
    """Which pairs stand under two labels."""
    return pairs["first"].map(table["label"]).ne(pairs["second"].map(table["label"]))


def _of_pairs(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    others = {f"other_{name}": rows[name].loc[pairs["first"]].to_numpy() for name in OTHER}
    return rows.loc[pairs["second"]].assign(
        **others,
        distance=pairs["distance"].to_numpy(),
        similarity=pairs["similarity"].round(4).to_numpy(),
    )
