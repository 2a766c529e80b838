"""Weight randomisation: a heatmap that stays when the weights go does not show what was learnt
(Adebayo et al. 2018, arXiv 1810.03292).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np


@contextmanager
def shuffled(model: keras.Model, seed: int) -> Iterator[None]:
    """Within the block every kernel of the network holds its weights in random order, which keeps
    their scale; biases and statistics of batches stay.
    """
    learnt = model.get_weights()
    rng = np.random.default_rng(seed)
    model.set_weights(
        [rng.permutation(w.ravel()).reshape(w.shape) if w.ndim > 1 else w for w in learnt]
    )
    try:
        yield
    finally:
        model.set_weights(learnt)
