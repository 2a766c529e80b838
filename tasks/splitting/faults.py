"""Images that no network should learn from, whatever their label: dark, bright, flat, tiny.

They are told here and not when they are prepared: a limit that changes must move nobody, so what is
quarantined takes part in drawing the sides and in joining groups.
"""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from tasks.common.params.validate import SMALLEST, ImageLimits

DARK = "too dark: its mean is below validate.intensity_mean"
BRIGHT = "too bright: its mean is above validate.intensity_mean"
FLAT = "shows nothing: its standard deviation is below validate.min_contrast"
TINY = f"a thumbnail: less than {SMALLEST} pixels high or wide"
REASONS = (TINY, DARK, BRIGHT, FLAT)


def find(images: pd.DataFrame, limits: ImageLimits) -> dict[int, str]:
    """The first fault of each image that has one, by the label of its row.

    Args:
        images: `mean`, `std`, `height` and `width` of usable images.
        limits: what each must keep to.
    """
    low, high = limits.intensity_mean
    faults = {
        TINY: images[["height", "width"]].min(axis=1) < SMALLEST,
        DARK: images["mean"] < low,
        BRIGHT: images["mean"] > high,
        FLAT: images["std"] < limits.min_contrast,
    }
    return {
        at: reason
        for reason, found in reversed(faults.items())
        for at in images.index[found.fillna(False)]
    }


def without(pairs: pd.DataFrame, faulty: Collection[int]) -> pd.DataFrame:
    """The pairs of which neither end is faulty: what nobody learns from leaks nothing."""
    return pairs[~pairs["first"].isin(list(faulty)) & ~pairs["second"].isin(list(faulty))]
