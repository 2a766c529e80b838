"""Images of other people (`evaluate.external`), prepared as one's own are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from tasks.common import manifest
from tasks.common.errors import DataError
from tasks.common.paths import OTHERS
from tasks.imaging import pack
from tasks.imaging.images import Images


class External(NamedTuple):
    """External images.

    Attributes:
        rows: `image_id`, `label`, and `group`, the patient or where none is known the image itself.
        images: the pixels of each row.
        left_out: how many images are not among them, `copies` of what the model learned from, and
            `unusable` ones: they cannot be read, or stand under two labels.
    """

    rows: pd.DataFrame
    images: Images
    left_out: dict[str, int]


def read(learned: Iterable[str]) -> External:
    """What was pulled, without pixels that the model has seen.

    Args:
        learned: ids of the images that it learned from or was chosen by.

    Raises:
        DataError: nothing was pulled, a file is missing, or no image is left.
    """
    if not OTHERS.cohort.exists():
        raise DataError(
            f"required: the images that evaluate.external names, in {OTHERS.folder}; received: "
            "none. `python -m tasks.pull` brings them; to do without, empty evaluate.external"
        )
    cohort = manifest.read(OTHERS.cohort, manifest.COHORT)
    cohort = cohort[~cohort["reason"].isin(manifest.GONE)].sort_values("image_id")
    facts, pixels = pack.open_others(cohort[cohort["reason"].isna()], OTHERS)
    usable = facts[facts["reason"].isna()]
    seen = usable["digest"].isin(pack.pixel_digests().reindex(list(learned)).dropna())
    if seen.all():
        raise DataError(
            "required: external images that can be read and that the model did not learn from; "
            f"received: {len(cohort):,}, {int(seen.sum()):,} of them copies of images in train or "
            "val. Point evaluate.external to other data, or empty it"
        )
    rows = cohort.set_index("image_id").loc[usable.index[~seen]].reset_index()
    rows["group"] = rows["patient_id"].fillna(rows["image_id"])
    left_out = {"copies": int(seen.sum()), "unusable": len(cohort) - len(usable)}
    places = np.flatnonzero(~seen.to_numpy(bool))
    return External(rows[["image_id", "label", "group"]], Images(pixels, places), left_out)
