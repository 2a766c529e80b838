"""Who is on one side of the split because of pictures that go: they must stay where they are."""

from __future__ import annotations

import pandas as pd

from tasks.common import manifest, paths
from tasks.common.errors import DataError


def joined_by(going: pd.DataFrame) -> dict[str, str]:
    """Groups that are on one side because of pictures of `going`, rows of the cohort, each with the
    one whose side it has. None where the data were never split.

    Raises:
        DataError: the data were split, but the manifest that tells is not here.
    """
    recorded = paths.DVC_LOCK.exists() and str(paths.MANIFEST) in paths.DVC_LOCK.read_text("utf-8")
    if going.empty or not (recorded or paths.MANIFEST.exists()):
        return {}
    if not paths.MANIFEST.exists():
        raise DataError(
            f"required: {paths.MANIFEST}, which tells who is on one side because of these "
            "pictures; received: none, though the data were split. `dvc checkout` or `dvc repro "
            "split` brings it; then run the same again"
        )
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST)
    touched = table.loc[table["image_id"].isin(going["image_id"]), "group"]
    rows = table[table["group"].isin(touched)]
    member = rows["patient_id"].fillna(rows["image_id"])
    apart = member != rows["group"]
    return dict(zip(member[apart], rows.loc[apart, "group"], strict=True))
