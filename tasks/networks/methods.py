"""The ways of explaining a score, by name."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.networks import scoring
from tasks.networks.cam import Cam
from tasks.networks.gradcam import GradCam
from tasks.networks.heatmaps import Explainer
from tasks.networks.occlusion import Occlusion

NAMES = ("gradcam", "cam", "occlusion")


def explainer(model: keras.Model, method: str) -> Explainer:
    """What explains a network made by `build`. It sees weights that change later."""

    def score(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return scoring.score(model, images)

    made: dict[str, Callable[[], Explainer]] = {
        "gradcam": lambda: GradCam(model),
        "cam": lambda: Cam(model),
        "occlusion": lambda: Occlusion(score),
    }
    return made[method]()
