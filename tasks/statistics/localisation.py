"""Whether heatmaps lie where findings are: the pointing game (Zhang et al. 2018, Int. J. Comput.
Vis. 126:1084), and the share of the heat within (Wang et al. 2020, arXiv 1910.01279).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

TOLERANCE = 15 / 224  # of the longer side of the image: how far off a point may be


class Located(NamedTuple):
    """Of one image: whether the hottest pixel hits a finding, the share of the heat within them,
    and what a heatmap that knows nothing gets: of one point anywhere, and of even heat.
    """

    hit: bool
    hit_by_chance: float
    energy: float
    energy_by_chance: float


def locate(heatmap: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> Located:
    """Hold a heatmap `(H, W)`, not negative, to a mask `(H, W)` with a finding; without heat there
    is no hit.
    """
    near = distance_transform_edt(~mask) <= TOLERANCE * max(mask.shape)
    total = float(heatmap.sum())
    return Located(
        total > 0 and bool(near.flat[int(heatmap.argmax())]),
        float(near.mean()),
        float(heatmap[mask].sum()) / total if total > 0 else 0.0,
        float(mask.mean()),
    )
