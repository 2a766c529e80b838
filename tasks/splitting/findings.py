"""The images behind the numbers of the receipt: `reports/split_findings.csv`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.common import documents, paths
from tasks.splitting import leaks

OF_IMAGE = ("image_id", "group", "batch", "label", "source_split", "split", "reason")
OF_OTHER = ("image_id", "group", "label", "source_split", "split")
AT_ONCE = 50_000  # lines that are spelled out in memory


def write(table: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """List leaks and pairs by pseudonym and digest, a pair as its newer image with the `other`.

    Args:
        table: the table of images, with `split` and `reason` as far as they are known.
        pairs: as `duplicates.find` gives them.
    """
    rows = table.reindex(columns=[*OF_IMAGE, "patient_id", "elsewhere"])
    rows["group"] = rows["patient_id"].fillna(rows["image_id"])
    found = _found(rows, pairs)
    starts = range(0, max(len(found), 1), AT_ONCE)
    parts = (_spelled(rows, found.iloc[start : start + AT_ONCE]) for start in starts)
    documents.write_csv_parts(paths.SPLIT_FINDINGS, parts)


def two_labels(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series[bool]:
    """Which pairs stand under two labels."""
    return pairs["first"].map(table["label"]).ne(pairs["second"].map(table["label"]))


def _found(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Each `finding` with its image `at` and the `other`, labels of the index of `rows`, in the
    order of their lines.
    """
    leaking = {
        "patient on two sides of the source's split": rows["group"].isin(leaks.on_two_sides(rows)),
        "file on two sides of the source's split": rows["elsewhere"].notna(),
    }
    listed = [
        pd.DataFrame({"at": rows.index[chosen], "finding": name})
        for name, chosen in leaking.items()
    ]
    likeness = np.where(pairs["same"], "same", "like")
    doubled = {"in two patients": pairs["between"], "under two labels": two_labels(rows, pairs)}
    ends = pairs.rename(columns={"second": "at", "first": "other"})
    ends = ends[["at", "other", "distance", "similarity"]]
    for where, chosen in doubled.items():
        names = [f"{how} picture {where}" for how in likeness[chosen]]
        listed.append(ends[chosen].assign(finding=names))
    found = pd.concat(listed).reindex(columns=[*ends, "finding"])
    group, image = (
        pd.Series(pd.factorize(rows[column], sort=True)[0], rows.index)
        for column in ("group", "image_id")
    )
    keys = pd.DataFrame(
        {
            "finding": found["finding"].to_numpy(),
            "group": group.loc[found["at"]].to_numpy(),
            "image": image.loc[found["at"]].to_numpy(),
            "other": image.reindex(found["other"]).to_numpy(),
        }
    )
    return found.iloc[keys.sort_values(keys.columns.tolist()).index]


def _spelled(rows: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The lines as they are written."""
    images = rows[list(OF_IMAGE)].loc[found["at"]]
    others = rows[list(OF_OTHER)].reindex(found["other"]).add_prefix("other_")
    likeness = found[["distance", "similarity"]].astype("float64").round(4)
    parts = [found[["finding"]], images, others, likeness]
    return pd.concat([part.set_axis(range(len(found))) for part in parts], axis=1)
