"""Views at test time: a score is that of the mean of the logits of an image and of a few views of
it, the same views for every image (Krizhevsky et al. 2012, NIPS, with crops).

What an acquisition or a hand that cut the image has left to chance, a mean varies less with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
    """The views of images of `size` (height, width) that the parameters ask for: how the preset
    moves and turns, without its contrast. The preset `none` has none, for all would be alike.
    """
    preset = augmentation.PRESETS[augment.preset]
    count = 0 if augment.preset == "none" else augment.test_views
    names = [f"test/{view}" for view in range(count)]
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
    each = said(Looks(affine)(pixels))
    by_look = ops.reshape(each, (1 + len(affine), -1, each.shape[-1]))
    return keras.Model(pixels, model.get_layer(SCORES)(ops.mean(by_look, axis=0)))


def looks(model: keras.Model) -> int:
    """How many images pass the network for each that is scored."""
    found = [layer.count for layer in model.layers if isinstance(layer, Looks)]
    return max(found, default=1)


class Looks(keras.layers.Layer):  # type: ignore[misc]  # keras ships no types
    """Images `(N, H, W, C)` to `((1 + V) N, H, W, C)`: themselves, then view after view."""

    def __init__(self, affine: Affine) -> None:
        super().__init__(trainable=False)
        self._affine, self.count = affine, 1 + len(affine)

    def call(self, pixels: Any) -> Any:
        """All looks, for one pass through the network."""
        return ops.concatenate([pixels, *(_view(pixels, view) for view in self._affine)], axis=0)


def _view(pixels: Any, affine: NDArray[np.float32]) -> Any:
    for_each = ops.ones_like(pixels[:, 0, 0, :1]) * affine[None]
    return ops.image.affine_transform(
        pixels, for_each, interpolation="bilinear", fill_mode="nearest", data_format="channels_last"
    )
