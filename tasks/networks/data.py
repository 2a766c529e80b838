"""What training reads: the train and val images of the manifest, with targets and views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels, manifest, paths
from tasks.common.documents import read_json
from tasks.imaging.images import Images
from tasks.imaging.pack import open_pack
from tasks.networks import augmentation
from tasks.networks.augmentation import Transforms
from tasks.networks.feeds import Examples, Feed, OnTheFly, Stored
from tasks.networks.layers import cut
from tasks.networks.pass_files import NoRoomError
from tasks.networks.prefix import Prefix
from tasks.networks.views import Views

if TYPE_CHECKING:
    from tasks.common.params.task import Task


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


def read(task: Task) -> Data:
    """What the manifest, the pack and `data/views.json` say."""
    table, pack = manifest.read_manifest(), open_pack()
    train, val = (manifest.of_split(table, name) for name in ("train", "val"))
    ids = tuple(train["image_id"])
    views = Views(**read_json(paths.VIEWS), image_ids=ids, size=pack.shape[1:3])
    return Data(_split(train, pack, task), _split(val, pack, task), views)


def _split(rows: pd.DataFrame, pack: NDArray[np.uint8], task: Task) -> SplitData:
    targets = labels.encode(rows["label"], task.kind, task.names)
    return SplitData(Images(pack, rows["row"].to_numpy(np.int64)), targets)


def feed(
    model: keras.Model, layers: Sequence[str], wanted: str, data: Data
) -> tuple[Feed, Examples]:
    """What arrives at the layer `wanted` from the train split, and from the val split.

    One pass stores what arrives at all of `layers`, or only at `wanted` where the disk has no room
    for more. Where it has none for that either, and with `augment.views: 0`, the training images
    go through the frozen part on the fly.
    """
    passes = _Passes(model, layers, wanted)
    plain = [augmentation.plain(len(data.val.images))]
    val = passes.first(data.val, plain, "Frozen part, val images")
    views = data.views
    if views.count:
        what = "Frozen part, train images"
        try:
            spare = passes.later_size(data) if views.refresh else 0
            first = passes.first(data.train, views.draw(0), what, spare)
            later = lru_cache(maxsize=1)(
                lambda generation: passes.later(data.train, views.draw(generation), what)
            )
            return Stored(lambda generation: later(generation) if generation else first, views), val
        except NoRoomError as error:
            print(f"{error} For now they are computed anew in each step.", flush=True)
    frozen, _ = cut(model, wanted)
    return OnTheFly(frozen, data.train.images, data.train.targets, views), val


class _Passes:
    """Passes through the frozen part, which is compiled once for all that store the same."""

    def __init__(self, model: keras.Model, layers: Sequence[str], wanted: str) -> None:
        self._all = Prefix(model, layers)
        self._one = self._all if self._all.layers == [wanted] else Prefix(model, [wanted])
        self._index = self._all.layers.index(wanted)

    def first(
        self, split: SplitData, views: Sequence[Transforms], what: str, spare: int = 0
    ) -> Examples:
        """Store what arrives at all layers, or only at the wanted one where there is no room."""
        try:
            stored = self._all.activations(split.images, views, what, spare)
        except NoRoomError:
            if self._one is self._all:
                raise
            return self.later(split, views, what, spare)
        return Examples(stored[self._index], split.targets)

    def later(
        self, split: SplitData, views: Sequence[Transforms], what: str, spare: int = 0
    ) -> Examples:
        """Store what arrives at the layer wanted."""
        (stored,) = self._one.activations(split.images, views, what, spare)
        return Examples(stored, split.targets)

    def later_size(self, data: Data) -> int:
        """Bytes of the two later generations of train that are there at once: the one in use while
        the next is computed.
        """
        return 2 * self._one.size(data.views.shown * len(data.train.images))
