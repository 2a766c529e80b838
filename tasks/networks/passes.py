"""The passes of a training through what is frozen, and the feed that comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.images import Images
from tasks.networks import augmentation, memory, residence
from tasks.networks.augmentation import Transforms
from tasks.networks.feeds import Examples, Feed, OnTheFly, Stored
from tasks.networks.layers import cut
from tasks.networks.memory import NoMemoryError
from tasks.networks.pass_files import NoRoomError
from tasks.networks.prefix import Prefix
from tasks.networks.residence import Residence
from tasks.networks.views import Views


@dataclass(frozen=True)
class SplitData:
    """Images of one split, read when they are asked for, and their targets `(N, K)`."""

    images: Images
    targets: NDArray[np.float32]


@dataclass(frozen=True)
class Data:
    """The train split with its random views, and the val split, shown as it is."""

    train: SplitData
    val: SplitData
    views: Views


def feed(
    model: keras.Model, layers: Sequence[str], wanted: str, data: Data
) -> tuple[Feed, Examples]:
    """What arrives at the layer `wanted` from the train split, and from the val split.

    On the disk one pass stores what arrives at all of `layers`, or only at `wanted` where there is
    no room for more; on the device lies what is wanted. Where there is room neither here nor there,
    and with `augment.views: 0`, the training images go through the frozen part on the fly.
    """
    passes = _Passes(model, layers, wanted)
    val = passes.of_val(data.val)
    if data.views.count:
        for place in passes.places(data.train, data.views.shown, 3 if data.views.refresh else 1):
            try:
                return passes.of_train(place, data), val
            except (NoRoomError, NoMemoryError) as error:
                print(f"{error} They are kept elsewhere or computed anew in each step.", flush=True)
    frozen, _ = cut(model, wanted)
    return OnTheFly(frozen, data.train.images, data.train.targets, data.views), val


class _Passes:
    """Passes through the frozen part, which is compiled once for all that store the same."""

    def __init__(self, model: keras.Model, layers: Sequence[str], wanted: str) -> None:
        self._all = Prefix(model, list(dict.fromkeys(layers)))
        self._one = self._all if self._all.layers == [wanted] else Prefix(model, [wanted])
        self._index = self._all.layers.index(wanted)

    def places(self, split: SplitData, views: int, copies: int) -> list[Residence]:
        """Where what arrives at the layer wanted may lie, the best first."""
        (shape,) = self._one.shapes(views * len(split.images)).values()
        return residence.of_pass(shape, split.images.shape, copies)

    def of_val(self, split: SplitData) -> Examples:
        """What arrives at the layer wanted from the images as they are."""
        plain, what = [augmentation.plain(len(split.images))], "Frozen part, val images"
        if Residence.DEVICE in self.places(split, 1, 1):
            try:
                return self._resident(split, plain, what)
            except NoMemoryError as error:
                print(f"{error} They are stored on the disk.", flush=True)
        return self._first(split, plain, what)

    def of_train(self, place: Residence, data: Data) -> Stored:
        """The same from the views of the training images: a pass per generation.

        Raises:
            NoRoomError: the disk has no room for them.
            NoMemoryError: nor has the device.
        """
        views, what, on_disk = data.views, "Frozen part, train images", place is Residence.DISK
        make = self._stored if on_disk else self._resident
        if on_disk:
            first = self._first(data.train, views.draw(0), what, self._spare(data))
        else:
            first = make(data.train, views.draw(0), what)
        later = lru_cache(maxsize=1)(
            lambda generation: make(data.train, views.draw(generation), what)
        )
        return Stored(lambda generation: later(generation) if generation else first, views)

    def _resident(self, split: SplitData, views: Sequence[Transforms], what: str) -> Examples:
        with memory.fitting("Lower augment.views or choose a later fine_tune.cut_layer"):
            (found,) = self._one.resident(split.images, views, what)
        return Examples(found, split.targets, self._one.key(split.images, views))

    def _first(
        self, split: SplitData, views: Sequence[Transforms], what: str, spare: int = 0
    ) -> Examples:
        """Store what arrives at all layers, or only at the wanted one where there is no room."""
        try:
            stored = self._all.activations(split.images, views, what, spare)
        except NoRoomError:
            if self._one is self._all:
                raise
            return self._stored(split, views, what, spare)
        return Examples(stored[self._index], split.targets)

    def _stored(
        self, split: SplitData, views: Sequence[Transforms], what: str, spare: int = 0
    ) -> Examples:
        """Store what arrives at the layer wanted."""
        (stored,) = self._one.activations(split.images, views, what, spare)
        return Examples(stored, split.targets)

    def _spare(self, data: Data) -> int:
        """Bytes of the two later generations of train that are there at once: the one in use while
        the next is computed.
        """
        views = data.views
        return 2 * self._one.size(views.shown * len(data.train.images)) if views.refresh else 0
