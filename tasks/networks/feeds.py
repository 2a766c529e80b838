"""What a fit trains on: stored activations, or views that go through the frozen part on the fly.

Both show the same views in the same order, rounded at the cut to the same type, so they give the
same weights but for the last bits of the frozen part's sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tasks.imaging.images import Images
from tasks.networks import augmentation, keys
from tasks.networks.augmentation import Transforms
from tasks.networks.folding import folded
from tasks.networks.prediction import JIT
from tasks.networks.views import Views

Rows = NDArray[np.int64]


class Feed(Protocol):
    """The training images as one fit sees them."""

    def network(self, model: keras.Model) -> keras.Model:
        """What is fitted: from a batch of this feed to the scores of `model`."""

    def examples(self, epoch: int) -> Examples:
        """What an epoch, counted from 1, shows: every view once."""

    def key(self) -> Any:
        """All that the examples of all epochs depend on."""


@dataclass(frozen=True)
class Examples:
    """N images in V views.

    Attributes:
        inputs: an array or several, as a network takes them. Each has a row per view of an image,
            view after view, or a row per image: its row `r % len` is that of row r of all V * N.
        targets: `(N, K)`.
        made_by: the key of the pass that the inputs come from, where they are not at hand here.
    """

    inputs: Any
    targets: NDArray[np.float32]
    made_by: str | None = None

    @property
    def rows(self) -> int:
        """V * N."""
        return max(len(array) for array in keras.tree.flatten(self.inputs))

    def batches(self, rows: Rows, batch_size: int) -> keras.utils.PyDataset:
        """The inputs of some rows, as they are stored, and their targets."""

        def take(chosen: Rows) -> Any:
            return keras.tree.map_structure(
                lambda array: array[chosen % len(array)], (self.inputs, self.targets)
            )

        return _Batches(rows, batch_size, take)

    def key(self) -> list[str]:
        """The digests of inputs and targets."""
        inputs = self.made_by or keys.of_arrays(keras.tree.flatten(self.inputs))
        return [inputs, keys.of_arrays([self.targets])]


@dataclass(frozen=True)
class Stored:
    """Stored activations.

    Attributes:
        of_generation: those of a generation of views.
        views: which generation an epoch shows; None: there is only one.
    """

    of_generation: Callable[[int], Examples]
    views: Views | None = None

    def network(self, model: keras.Model) -> keras.Model:
        """The model itself."""
        return model

    def examples(self, epoch: int) -> Examples:
        """The generation that the epoch shows."""
        return self.of_generation(self.views.generation(epoch) if self.views else 0)

    def key(self) -> Any:
        """The first generation, and how later ones come about."""
        return [self.of_generation(0).key(), self.views.settings if self.views else None]


@dataclass(frozen=True)
class OnTheFly:
    """Pixels that go through augmentation and the frozen part in every step.

    Attributes:
        frozen: pixels to what arrives at the cut; not trained.
        images: `(N, H, W, C)`.
        targets: `(N, K)`.
        views: what an epoch shows.
    """

    frozen: keras.Model
    images: Images
    targets: NDArray[np.float32]
    views: Views

    def network(self, model: keras.Model) -> keras.Model:
        """Pixels and transforms to scores, in one graph to compile."""
        part = with_views(self.frozen)
        return keras.Model(part.input, model(ops.cast(part.output, "float32")))

    def examples(self, epoch: int) -> Examples:
        """Pixels as they are stored, and the transforms of the generation that the epoch shows."""
        drawn = _drawn(self.views, self.views.generation(epoch))
        return Examples((self.images, drawn.affine, drawn.contrast), self.targets)

    def key(self) -> Any:
        """Frozen part, pixels and the first generation, targets, and how later ones come about."""
        first = keys.of_pass(self.frozen, self.images, self.views.draw(0))
        return [first, keys.of_arrays([self.targets]), self.views.settings]


@lru_cache(maxsize=1)
def _drawn(views: Views, generation: int) -> Transforms:
    """The transforms of all views of a generation, view after view."""
    return augmentation.stack(views.draw(generation))


def order(count: int, epoch: int, seed: int) -> Rows:
    """The order of `count` rows in one epoch, counted from 1."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def with_views(frozen: keras.Model) -> keras.Model:
    """The frozen part behind the augmentation, as one graph to compile: pixels, affine maps and
    contrast factors to activations, rounded to float16 as they are stored. It is folded, and shares
    its weights.

    Raises:
        TrainingError: the weights are not finite.
    """
    pixels = keras.Input(frozen.input_shape[1:])
    affine, contrast = keras.Input((8,)), keras.Input((1,))
    views = augmentation.apply(pixels, affine, contrast)
    outputs = folded(frozen)(views, training=False)
    rounded = keras.tree.map_structure(lambda output: ops.cast(output, "float16"), outputs)
    part = keras.Model([pixels, affine, contrast], rounded)
    part.jit_compile = JIT
    return part


def checked(part: keras.Model) -> keras.Model:
    """The same part, which also says of each row whether all that it gives is finite."""
    rows = [ops.reshape(output, (-1, math.prod(output.shape[1:]))) for output in part.outputs]
    finite = [ops.all(ops.isfinite(row), axis=1) for row in rows]
    together = keras.Model(part.input, [*part.outputs, ops.all(ops.stack(finite), axis=0)])
    together.jit_compile = JIT
    return together


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Batches of rows, each taken when it is asked for."""

    def __init__(self, rows: Rows, batch_size: int, take: Callable[[Rows], Any]) -> None:
        super().__init__()
        self._rows, self._size, self._take = rows, batch_size, take

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._size)

    def __getitem__(self, index: int) -> Any:
        return self._take(self._rows[index * self._size : (index + 1) * self._size])
