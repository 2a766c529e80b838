"""What became of every image that was pulled, and who stands on which side: as studies are reported
(STARD 2015, item 19, and Table 1).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tasks.common import manifest, slices
from tasks.common.manifest import SPLITS
from tasks.splitting import faults, joining

BY_REASON = {  # what it is called here -> the reasons in the manifest
    "excluded_by_a_person": (manifest.EXCLUDED,),
    "of_no_use": faults.REASONS,
    "under_two_labels": (joining.TWO_LABELS,),
    "near_copies_of_another_side": (joining.APART,),
    "leaks": (manifest.LEAK,),
}
SOURCE = "two_labels_at_the_source", "two labels: "  # and how its reasons begin
REST = "not_readable"


def count(table: pd.DataFrame) -> dict[str, Any]:
    """Images: those that were pulled and not withdrawn since, those left out by why, those used.

    Args:
        table: of `split.to_manifest`.
    """
    known = table[~table["reason"].isin(manifest.GONE)]
    left_out = known[known["status"] != "ok"]
    found = {
        name: int(left_out["reason"].isin(reasons).sum()) for name, reasons in BY_REASON.items()
    }
    found[SOURCE[0]] = int(left_out["reason"].astype(str).str.startswith(SOURCE[1]).sum())
    found[REST] = len(left_out) - sum(found.values())
    return {
        "pulled": len(known),
        "left_out": {name: images for name, images in found.items() if images},
        "used": len(known) - len(left_out),
    }


def table_one(usable: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Slice column -> value -> side -> images; columns that say nothing are left out.

    Args:
        usable: the usable rows of the manifest.
    """
    columns = [c for c in (*slices.KNOWN, *slices.further(usable)) if c in usable]
    return {column: _by_side(usable, column) for column in columns if usable[column].notna().any()}


def _by_side(usable: pd.DataFrame, column: str) -> dict[str, dict[str, int]]:
    sides = {side: usable.loc[usable["split"] == side, column].value_counts() for side in SPLITS}
    return {
        value: {side: int(counts.get(value, 0)) for side, counts in sides.items()}
        for value in slices.values(usable[column])
    }
