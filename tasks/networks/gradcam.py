"""Grad-CAM: where in the image the evidence for an output lies (Selvaraju et al. 2017,
arXiv 1610.02391).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tasks.networks import device
from tasks.networks.architecture import LOGITS
from tasks.networks.heatmaps import Heatmaps, in_batches, scaled
from tasks.networks.layers import last_conv_layer
from tasks.networks.prediction import JIT


class GradCam:
    """Explains a network made by `build`; an `Explainer`.

    The gradient is that of the logit, which does not vanish where the score is near 0 or 1. Against
    an output speaks what lowers its logit (the counterfactual of section 3.2 of the paper).
    """

    def __init__(self, model: keras.Model) -> None:
        maps = model.get_layer(last_conv_layer(model)).output
        before = keras.Model(model.input, maps)
        before.jit_compile = JIT
        self._forward = device.backend.forward(before)
        self._after = keras.Model(maps, model.get_layer(LOGITS).output)

    def __call__(self, images: NDArray[np.uint8], output: int, absent: bool) -> Heatmaps:
        """At the resolution of the last convolutional layer."""
        sign = -1 if absent else 1
        return scaled(in_batches(self._forward, images, lambda m: self._weigh(m, output, sign)))

    def _weigh(self, maps: Any, output: int, sign: int) -> Any:
        def logit(maps: Any) -> Any:
            return self._after(maps, training=False)[:, output] * sign

        gradient = device.backend.gradient(logit, maps)
        importance = ops.mean(gradient, axis=(1, 2), keepdims=True)
        return ops.sum(importance * maps, axis=-1)
