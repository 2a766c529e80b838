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
from tasks.networks.prediction import JIT
from tasks.networks.views import Views

Rows = NDArray[np.int64]


class Feed(Protocol):
    """The training images as one fit sees them."""

    def network(self, model: keras.Model) -> keras.Model:
        """What is fitted: from a batch of this feed to the scores of `model`."""

    def batches(self, epoch: int, seed: int, batch_size: int) -> keras.utils.PyDataset:
        """The batches of one epoch, counted from 1: every view once, in an order of its own."""

    def stored(self, epoch: int) -> Examples | None:
        """What is stored of the epoch; None where it goes through the frozen part on the fly."""

    def key(self) -> Any:
        """All that the batches depend on."""


@dataclass(frozen=True)
class Examples:
    """Activations `(V * N, ...)`, view after view, and targets `(N, K)` of N images in V views."""

    activations: NDArray[np.float16]
    targets: NDArray[np.float32]

    def batches(self, rows: Rows, batch_size: int) -> keras.utils.PyDataset:
        """The activations of some rows, as they are stored, and their targets."""

        def take(chosen: Rows) -> tuple[Any, Any]:
            targets = self.targets[chosen % len(self.targets)]
            return self.activations[chosen], targets

        return _Batches(rows, batch_size, take)

    def key(self) -> str:
        """The digest of the arrays."""
        return keys.of_arrays([self.activations, self.targets])


@dataclass(frozen=True)
class Stored:
    """Stored activations.

    Attributes:
        examples: those of a generation of views.
        views: which generation an epoch shows; None: there is only one.
    """

    examples: Callable[[int], Examples]
    views: Views | None = None

    def network(self, model: keras.Model) -> keras.Model:
        """The model itself."""
        return model

    def batches(self, epoch: int, seed: int, batch_size: int) -> keras.utils.PyDataset:
        """Activations and targets."""
        shown = self.stored(epoch)
        return shown.batches(order(len(shown.activations), epoch, seed), batch_size)

    def stored(self, epoch: int) -> Examples:
        """The generation that the epoch shows."""
        return self.examples(self.views.generation(epoch) if self.views else 0)

    def key(self) -> Any:
        """The first generation, and how later ones come about."""
        return [self.examples(0).key(), self.views.settings if self.views else None]


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

    def batches(self, epoch: int, seed: int, batch_size: int) -> keras.utils.PyDataset:
        """Pixels as they are stored, transforms and targets."""
        drawn = self._drawn(self.views.generation(epoch))

        def take(chosen: Rows) -> tuple[Any, Any]:
            image = chosen % len(self.targets)
            inputs = (self.images[image], drawn.affine[chosen], drawn.contrast[chosen])
            return inputs, self.targets[image]

        return _Batches(order(len(drawn), epoch, seed), batch_size, take)

    def stored(self, epoch: int) -> None:
        """Nothing."""

    def key(self) -> Any:
        """Frozen part, pixels and the first generation, targets, and how later ones come about."""
        first = keys.of_pass(self.frozen, self.images, self.views.draw(0))
        return [first, keys.of_arrays([self.targets]), self.views.settings]

    def _drawn(self, generation: int) -> Transforms:
        """The transforms of all views of a generation, view after view."""
        return _stack(self.views, generation)


@lru_cache(maxsize=1)
def _stack(views: Views, generation: int) -> Transforms:
    drawn = views.draw(generation)
    return Transforms(
        np.concatenate([view.affine for view in drawn]),
        np.concatenate([view.contrast for view in drawn]),
    )


def order(count: int, epoch: int, seed: int) -> Rows:
    """The order of `count` rows in one epoch, counted from 1."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def with_views(frozen: keras.Model) -> keras.Model:
    """The frozen part behind the augmentation, as one graph to compile: pixels, affine maps and
    contrast factors to activations, rounded to float16 as they are stored.
    """
    pixels = keras.Input(frozen.input_shape[1:])
    affine, contrast = keras.Input((8,)), keras.Input((1,))
    outputs = frozen(augmentation.apply(pixels, affine, contrast), training=False)
    rounded = keras.tree.map_structure(lambda output: ops.cast(output, "float16"), outputs)
    part = keras.Model([pixels, affine, contrast], rounded)
    part.jit_compile = JIT
    return part


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Batches of rows, each taken when it is asked for."""

    def __init__(
        self, rows: Rows, batch_size: int, take: Callable[[Rows], tuple[Any, Any]]
    ) -> None:
        super().__init__()
        self._rows, self._size, self._take = rows, batch_size, take

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._size)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._take(self._rows[index * self._size : (index + 1) * self._size])
