"""The frozen prefix: what does not change during training is computed once and stored.

With a frozen backbone every epoch gives the same activations. So each training image's views go
through the frozen part once, and what is trainable trains on the stored activations (float16,
memory-mapped, in the state folder; found again by a digest of pixels, views, graph and weights).
A pass that was killed goes on where it stopped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks import paths
from tasks.errors import TrainingError
from tasks.networks import keys
from tasks.networks.ahead import ahead
from tasks.networks.augmentation import Transforms
from tasks.networks.batches import BATCH_SIZE, predict, slices
from tasks.networks.feeds import with_views
from tasks.networks.images import Images
from tasks.networks.layers import cut_layers
from tasks.progress import progress

Activations = NDArray[np.float16]
KEPT = 12  # stored files; older passes make room
SHARE_OF_DISK = 0.5  # of the free disk that one pass may fill
MARK_EVERY = 16  # batches between two marks of how far a pass has come


class NoRoomError(TrainingError):
    """The activations of a pass would fill too much of the disk."""


class Prefix:
    """What comes before some layers of a network, compiled once for all its passes.

    Attributes:
        layers: names of `cut_layers`, before which the activations are taken.
    """

    def __init__(self, model: keras.Model, layers: Sequence[str]) -> None:
        cuts = cut_layers(model)
        self.layers = list(layers)
        self._frozen = keras.Model(model.input, [cuts[layer] for layer in layers])

    @cached_property
    def _part(self) -> keras.Model:
        return with_views(self._frozen)

    def activations(
        self, images: Images | NDArray[np.uint8], views: Sequence[Transforms], what: str
    ) -> list[Activations]:
        """What arrives at each of the layers, for every view of every image.

        One pass serves all layers; row `view * len(images) + i` belongs to image i. All before
        the layers is used in inference mode.

        Args:
            images: `(N, H, W, C)` in [0, 255].
            views: one or more transforms of all images; `augmentation.plain` for the images
                themselves.
            what: the images in words, for the progress.

        Raises:
            NoRoomError: the activations would fill more than half of the free disk.
            TrainingError: they are not finite, or cannot be written.
        """
        key = keys.of_pass(self._frozen, images, views)
        files = [paths.state() / "prefix" / f"{key}.{layer}.npy" for layer in self.layers]
        if all(file.exists() for file in files):
            print(f"{what}: stored activations found", flush=True)
        else:
            try:
                _compute(self._part, files, images, views, what)
            except OSError as error:
                raise TrainingError(
                    f"{files[0].parent} cannot be written ({error.strerror or error}): free space "
                    "or mend the rights there, or set MEDLOOP_STATE to a folder on another disk. "
                    "Run again, and the pass goes on where it stopped"
                ) from error
        for file in files:
            file.touch()
        keys.make_room(files[0].parent, KEPT)
        return [np.load(file, mmap_mode="r") for file in files]


def _compute(
    part: keras.Model,
    files: Sequence[Path],
    images: Images | NDArray[np.uint8],
    views: Sequence[Transforms],
    what: str,
) -> None:
    drafts = [file.with_suffix(".draft") for file in files]
    mark = files[0].with_suffix(".mark")
    batches = [(v, rows) for v in range(len(views)) for rows in slices(len(images), BATCH_SIZE)]
    done = _done(mark, drafts)
    stores = _open(drafts, part, len(images) * len(views), fresh=done == 0)

    def outputs(batch: tuple[int, slice]) -> list[Activations]:
        v, rows = batch
        view = views[v][rows]
        return predict(part, [images[rows], view.affine, view.contrast], BATCH_SIZE)

    todo = progress(batches[done:], f"{what}, batches")
    for count, ((v, rows), computed) in enumerate(ahead(outputs, todo), done + 1):
        target = slice(v * len(images) + rows.start, v * len(images) + rows.stop)
        for store, output in zip(stores, computed, strict=True):
            store[target] = _finite(output)
        if count % MARK_EVERY == 0:
            _set_mark(mark, count, stores)
    _set_mark(mark, len(batches), stores)
    mark.unlink()  # before the renames: a kill between two must not leave a mark without its drafts
    for draft, file in zip(drafts, files, strict=True):
        draft.replace(file)


def _done(mark: Path, drafts: Sequence[Path]) -> int:
    """How many batches a killed pass has stored; 0 where not all it left is there any more."""
    if mark.exists() and all(draft.exists() for draft in drafts):
        return int(mark.read_text())
    mark.unlink(missing_ok=True)  # it would count what the new drafts do not hold
    return 0


def _open(
    drafts: Sequence[Path], part: keras.Model, rows: int, fresh: bool
) -> list[np.memmap[tuple[int, ...], np.dtype[np.float16]]]:
    folder = drafts[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    shapes = [(rows, *output.shape[1:]) for output in part.outputs]
    if not fresh:
        return [np.lib.format.open_memmap(draft, mode="r+") for draft in drafts]
    needed = sum(int(np.prod(shape)) * 2 for shape in shapes)
    allowed = SHARE_OF_DISK * shutil.disk_usage(folder).free
    if needed > allowed:
        raise _no_room(needed, f"{allowed / 1e6:,.0f} MB, half of what is free")
    stores = [
        np.lib.format.open_memmap(draft, mode="w+", dtype=np.float16, shape=shape)
        for draft, shape in zip(drafts, shapes, strict=True)
    ]
    try:
        for draft in drafts:
            _claim(draft)
    except OSError as error:
        for draft in drafts:
            draft.unlink()
        raise _no_room(needed, error.strerror or str(error)) from error
    return stores


def _claim(draft: Path) -> None:
    """Take the disk for all of a draft: what is written to a mapped file after the disk has filled
    up ends the process.
    """
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with draft.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, draft.stat().st_size)


def _no_room(needed: int, received: str) -> NoRoomError:
    return NoRoomError(
        f"required: {needed / 1e6:,.0f} MB of disk for stored activations; received: {received}. "
        "Lower augment.views, choose a later fine_tune.cut_layer, or set MEDLOOP_STATE to a folder "
        "on a larger disk."
    )


def _set_mark(mark: Path, count: int, stores: Sequence[np.memmap[Any, Any]]) -> None:
    for store in stores:
        store.flush()
    draft = mark.with_suffix(".mark-draft")
    draft.write_text(str(count))
    draft.replace(mark)


def _finite(output: Activations) -> Activations:
    if not np.isfinite(output).all():
        raise TrainingError(
            "the frozen part gives activations that are not finite: required finite weights; "
            "check the file behind model.weights"
        )
    return output
