"""Which random views of the training images an epoch shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.networks import augmentation
from tasks.networks.augmentation import PRESETS, Transforms

if TYPE_CHECKING:
    from tasks.common.params.augment import Augment


@dataclass(frozen=True)
class Views:
    """The random views of N images of one size, drawn anew every so many epochs.

    Attributes:
        preset: name in `augmentation.PRESETS`.
        seed: of all draws.
        count: views of each image in an epoch; 0: one, drawn anew every epoch and never stored.
        refresh: epochs after which views are drawn anew; None: never.
        image_ids: of the N images.
        size: height and width in pixels.
    """

    preset: str
    seed: int
    count: int
    refresh: int | None
    image_ids: Sequence[str]
    size: Sequence[int]

    @property
    def shown(self) -> int:
        """Views of an image in an epoch. Without any change all are alike, and one is enough."""
        return 1 if self.preset == "none" else max(1, self.count)

    @property
    def settings(self) -> dict[str, Any]:
        """What `data/views.json` says; with the image ids it gives the same views again."""
        return {
            "preset": self.preset,
            "seed": self.seed,
            "count": self.count,
            "refresh": self.refresh,
        }

    def generation(self, epoch: int) -> int:
        """How often the views have been drawn anew before `epoch`, counted from 1."""
        if self.preset == "none":
            return 0
        refresh = self.refresh if self.count else 1
        return (epoch - 1) // refresh if refresh else 0

    def draw(self, generation: int) -> list[Transforms]:
        """The views of one generation, of all images each."""
        seeds = augmentation.view_seeds(self.seed, self.shown, generation)
        preset = PRESETS[self.preset]
        return [augmentation.draw(preset, seed, self.image_ids, self.size) for seed in seeds]


def asked(augment: Augment, image_ids: Sequence[str], size: Sequence[int]) -> Views:
    """The views of images of `size` (height, width) that the parameters ask for."""
    return Views(augment.preset, augment.seed, augment.views, augment.refresh, image_ids, size)
