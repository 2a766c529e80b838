"""Views at test time: a score is that of the mean of the logits of an image and of a few views of
it, the same views for every image (Krizhevsky et al. 2012, NIPS, with crops).

What an acquisition or a hand that cut the image has left to chance, a mean varies less with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tasks.common import paths
from tasks.common.documents import read_json, write_json
from tasks.networks import augmentation
from tasks.networks.architecture import LOGITS, SCORES

if TYPE_CHECKING:
    from tasks.common.params.augment import Augment

Affine = NDArray[np.float32]  # (V, 8), as `augmentation.Transforms`


def drawn(augment: Augment, size: Sequence[int]) -> Affine:
    """The views of images of `size` (height, width) that the parameters ask for."""
    preset = augmentation.PRESETS[augment.preset]
    names = [f"test/{view}" for view in range(augment.test_views)]
    return augmentation.draw(preset, augment.seed, names, size).affine


def write(affine: Affine) -> None:
    """Write `data/test_views.json`."""
    write_json(paths.TEST_VIEWS, {"affine": affine.tolist()})


def read() -> Affine:
    """What the stage augment has written there, to the bit."""
    return np.array(read_json(paths.TEST_VIEWS)["affine"], np.float32).reshape(-1, 8)


def averaged(model: keras.Model, affine: Affine) -> keras.Model:
    """A network made by `build` that also looks at views; with none, the network itself. Layers and
    weights are shared, so it follows what they become.
    """
    if not len(affine):
        return model
    pixels = keras.Input(model.input_shape[1:])
    said = keras.Model(model.input, model.get_layer(LOGITS).output)
    seen = [pixels, *(_view(pixels, view) for view in affine)]
    logits = ops.mean(ops.stack([said(image) for image in seen]), axis=0)
    return keras.Model(pixels, model.get_layer(SCORES)(logits))


def _view(pixels: keras.KerasTensor, affine: NDArray[np.float32]) -> keras.KerasTensor:
    for_each = ops.ones_like(pixels[:, 0, 0, :1]) * affine[None]
    return ops.image.affine_transform(
        pixels, for_each, interpolation="bilinear", fill_mode="nearest", data_format="channels_last"
    )
