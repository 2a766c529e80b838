"""The frozen prefix: what does not change during training is computed once and stored.

With a frozen backbone every epoch gives the same activations. So each training image's views go
through the frozen part once, and what is trainable trains on the stored activations (float16,
memory-mapped, in the state folder; found again by a digest of pixels, views, graph and weights).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tasks.common.errors import TrainingError
from tasks.imaging.images import Images
from tasks.networks import augmentation, device, keyed_files, keys, memory
from tasks.networks.augmentation import Transforms
from tasks.networks.feeds import checked, with_views
from tasks.networks.layers import cut_layers
from tasks.networks.pass_files import Activations, PassFiles, size_of
from tasks.networks.prediction import batch_size, outputs

MARK_EVERY = 16  # batches between two marks of how far a pass has come


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
    def _forward(self) -> Callable[[Any], Any]:
        return device.backend.forward(checked(with_views(self._frozen)))

    def activations(
        self,
        images: Images | NDArray[np.uint8],
        views: Sequence[Transforms],
        what: str,
        spare: int = 0,
    ) -> list[Activations]:
        """What arrives at each of the layers, for every view of every image.

        One pass serves all layers; row `view * len(images) + i` belongs to image i. All before
        the layers is used in inference mode.

        Args:
            images: `(N, H, W, C)` in [0, 255].
            views: one or more transforms of all images; `augmentation.plain` for the images
                themselves.
            what: the images in words, for the progress.
            spare: bytes of disk that must be left for later passes.

        Raises:
            NoRoomError: the activations would fill more than half of the free disk.
            NoMemoryError: the device has too little memory for a batch.
            TrainingError: they are not finite, or cannot be written.
        """
        key = self.key(images, views)
        files = PassFiles(key, self.shapes(len(images) * len(views)))
        try:
            with keyed_files.alone(files.folder, key):
                found = files.find()
                if found is None:
                    return self._compute(files, images, views, what, spare)
                print(f"{what}: stored activations found", flush=True)
                return found
        except OSError as error:
            raise TrainingError(
                f"{files.folder} cannot be written or read ({error.strerror or error}): free space "
                "or fix the rights there, or set MEDLOOP_STATE to a folder on another disk. "
                "Run again, and the pass goes on where it stopped"
            ) from error

    def resident(
        self, images: Images | NDArray[np.uint8], views: Sequence[Transforms], what: str
    ) -> list[Any]:
        """The same, computed anew and left on the device.

        Raises:
            TrainingError: they are not finite.
        """
        batches = [activations for _, activations in self._outputs(images, views, what)]
        joined = [ops.concatenate(each) for each in zip(*batches, strict=True)]
        for activations in joined:  # wait here, where a lack of memory is expected
            np.asarray(activations[:1])
        return joined

    def key(self, images: Images | NDArray[np.uint8], views: Sequence[Transforms]) -> str:
        """Of a pass."""
        return keys.of_pass(self._frozen, images, views)

    def size(self, rows: int) -> int:
        """Bytes of the stored activations of so many rows."""
        return sum(size_of(shape) for shape in self.shapes(rows).values())

    def shapes(self, rows: int) -> dict[str, tuple[int, ...]]:
        """Layer -> the shape of so many rows of activations."""
        shapes = [(rows, *output.shape[1:]) for output in self._frozen.outputs]
        return dict(zip(self.layers, shapes, strict=True))

    def _compute(
        self,
        files: PassFiles,
        images: Images | NDArray[np.uint8],
        views: Sequence[Transforms],
        what: str,
        spare: int,
    ) -> list[Activations]:
        done = files.begin(spare)
        computed = self._outputs(images, views, what, done)
        with memory.fitting():
            for count, (rows, activations) in enumerate(computed, done + 1):
                files.write(rows, [np.asarray(each) for each in activations])
                if count % MARK_EVERY == 0:
                    files.mark(count)
        return files.finish()

    def _outputs(
        self,
        images: Images | NDArray[np.uint8],
        views: Sequence[Transforms],
        what: str,
        done: int = 0,
    ) -> Iterator[tuple[slice, list[Any]]]:
        drawn = augmentation.stack(views)

        def take(rows: slice) -> list[NDArray[Any]]:
            chosen = np.arange(rows.start, rows.stop) % len(images)
            return [images[chosen], drawn.affine[rows], drawn.contrast[rows]]

        size, what = batch_size(*images.shape[1:3]), f"{what}, batches"
        passed = outputs(self._forward, len(drawn), size, take, what, done)
        for rows, (*activations, finite) in passed:
            _require_finite(finite)
            yield rows, activations


def _require_finite(rows: Any) -> None:
    if not np.asarray(rows).all():
        raise TrainingError(
            "the frozen part gives activations that are not finite: required finite weights; "
            "check the file behind model.weights"
        )
