"""Two models on the same images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tasks.statistics import Array
from tasks.statistics.areas import area, combined
from tasks.statistics.intervals import UNDEFINED, Interval
from tasks.statistics.metrics import compared
from tasks.statistics.patients import Patients, enough


def paired_auroc_difference(
    targets: ArrayLike,
    champion: ArrayLike,
    challenger: ArrayLike,
    groups: ArrayLike,
    confidence: float,
) -> Interval:
    """AUROC of the challenger minus that of the champion, mean over the outputs that can be judged.

    What both share, since they score the same images of the same patients, cancels out (`areas`).

    Args:
        targets: `(N, K)` or `(N,)` in {0, 1}.
        champion: scores, shaped like the targets.
        challenger: scores, shaped like the targets.
        groups: `(N,)`, the patient of each image.
        confidence: such as 0.95.

    Returns:
        Without ends where no output can be judged, not defined where none has both outcomes.
    """
    truth, old, new = (_columns(values) for values in (targets, champion, challenger))
    patients, outputs = Patients(groups), compared(truth, groups)
    if not outputs:
        return UNDEFINED
    found = [area(truth[:, k], s[:, k], patients) for s in (new, old) for k in outputs]
    share = 1 / len(outputs)
    interval = combined(found, [share] * len(outputs) + [-share] * len(outputs), confidence)
    judged = enough(truth[:, outputs[0]], patients)
    return interval if judged else UNDEFINED._replace(value=interval.value)


def _columns(values: ArrayLike) -> Array:
    array = np.asarray(values, float)
    return array[:, None] if array.ndim == 1 else array
