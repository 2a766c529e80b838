"""The ways of explaining a score, by name."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import ParameterError
from tasks.networks import layers, scoring
from tasks.networks.cam import Cam
from tasks.networks.gradcam import GradCam
from tasks.networks.heatmaps import Explainer
from tasks.networks.occlusion import Occlusion

NAMES = ("gradcam", "cam", "occlusion")


def usual(model: keras.Model) -> str:
    """How a network is explained unless told: where it has no maps, by its scores alone."""
    return "gradcam" if layers.has_places(model) else "occlusion"


def explainer(model: keras.Model, method: str) -> Explainer:
    """What explains a network made by `build`. It sees weights that change later.

    Raises:
        ParameterError: the method needs maps, and the network has none.
    """
    if method != "occlusion" and not layers.has_places(model):
        raise ParameterError(
            f"required: occlusion, since this network pools nothing that has places; received: "
            f"{method}. Explain with --method occlusion"
        )

    def score(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return scoring.score(model, images)

    made: dict[str, Callable[[], Explainer]] = {
        "gradcam": lambda: GradCam(model),
        "cam": lambda: Cam(model),
        "occlusion": lambda: Occlusion(score),
    }
    return made[method]()
