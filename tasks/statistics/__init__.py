"""Scores to metrics: numpy and scikit-learn, no pixels, no networks.

Shapes are the same everywhere: targets `(N, K)` in {0, 1} and scores `(N, K)` in [0, 1] of N
images and K = `labels.scores_per_image`, groups `(N,)` naming the patient of each image. What is
not defined (no positives, no negatives, no images) is NaN. `docs/statistics.md` says which interval
stands where, and why.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
