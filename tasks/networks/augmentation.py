"""Random views of images: rotation, shift, zoom, flips and contrast in one exact step.

The random numbers are drawn outside the network: those of view v of image i depend on the view's
seed and the image's id alone, not on batch, order or other images. They are applied inside the
compiled graph, by one affine map with fill `nearest` followed by contrast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

Numbers = NDArray[np.float64]  # one per image


@dataclass(frozen=True)
class Preset:
    """Largest deviations, each drawn uniformly in both directions; flips have even odds."""

    rotation: float = 0.0  # degrees
    shift: float = 0.0  # of height and of width
    zoom: float = 0.0  # of the size, the same in both directions
    contrast: float = 0.0  # of the deviation from the image's mean
    flip_left_right: bool = False
    flip_up_down: bool = False


PRESETS = {
    "none": Preset(),
    # No flips: in a radiograph the side carries meaning (heart, liver, markers).
    "radiograph": Preset(rotation=7, shift=0.05, zoom=0.1, contrast=0.15),
    "tutorial": Preset(rotation=20, shift=0.2, flip_left_right=True, flip_up_down=True),
}


@dataclass(frozen=True)
class Transforms:
    """What one view does to each of N images."""

    affine: NDArray[np.float32]  # (N, 8): output to input pixels, as `ops.image.affine_transform`
    contrast: NDArray[np.float32]  # (N, 1): 1 leaves the image as it is

    def __len__(self) -> int:
        return len(self.affine)

    def __getitem__(self, rows: slice) -> Transforms:
        return Transforms(self.affine[rows], self.contrast[rows])


def stack(views: Sequence[Transforms]) -> Transforms:
    """Several views, one after the other."""
    return Transforms(
        np.concatenate([view.affine for view in views]),
        np.concatenate([view.contrast for view in views]),
    )


def view_seeds(seed: int, views: int, generation: int = 0) -> list[int]:
    """One seed per view, others in each generation; more views keep the seeds of the first ones."""
    drawn = f"{seed}/{generation}" if generation else f"{seed}"
    return [int.from_bytes(_hash(f"{drawn}/{view}")[:4], "big") for view in range(views)]


def plain(count: int) -> Transforms:
    """The view that leaves `count` images exactly as they are."""
    identity = np.array([[1, 0, 0, 0, 1, 0, 0, 0]], np.float32)
    return Transforms(np.repeat(identity, count, axis=0), np.ones((count, 1), np.float32))


def draw(
    preset: Preset, view_seed: int, image_ids: Iterable[str], size: Sequence[int]
) -> Transforms:
    """The transforms of one view of images of `size` (height, width)."""
    # All numbers are drawn in every preset, so that one setting does not change another's draw.
    words = _words(view_seed, image_ids)
    angle, down, right, zoom, contrast = (words[:, :5] / 2**31 - 1).T
    mirrored = np.where(words[:, 5:7] >= 2**31, -1.0, 1.0)
    turn = np.radians(preset.rotation * angle)
    scale = 1 / (1 + preset.zoom * zoom)
    x_scale = scale * (mirrored[:, 0] if preset.flip_left_right else 1)
    y_scale = scale * (mirrored[:, 1] if preset.flip_up_down else 1)
    linear = [
        [np.cos(turn) * x_scale, -np.sin(turn) * y_scale],
        [np.sin(turn) * x_scale, np.cos(turn) * y_scale],
    ]
    shift = (preset.shift * right * size[1], preset.shift * down * size[0])
    factor = 1 + preset.contrast * contrast
    return Transforms(_about_centre(linear, shift, size), factor.astype(np.float32)[:, None])


def apply(pixels: Any, affine: Any, contrast: Any) -> Any:
    """Views `(N, H, W, C)` of tensors of pixels from 0 to 255, affine maps `(N, 8)` and contrast
    factors `(N, 1)`; for use inside a graph.
    """
    moved = ops.image.affine_transform(
        pixels, affine, interpolation="bilinear", fill_mode="nearest", data_format="channels_last"
    )
    factor = ops.reshape(contrast, (-1, 1, 1, 1))
    mean = ops.mean(moved, axis=(1, 2, 3), keepdims=True)
    return ops.clip(moved * factor + mean * (1 - factor), 0.0, 255.0)


def render(images: NDArray[np.uint8], transforms: Transforms) -> NDArray[np.uint8]:
    """One view of each of a few images, to look at."""
    views = apply(
        ops.convert_to_tensor(images.astype(np.float32)), transforms.affine, transforms.contrast
    )
    shown: NDArray[Any] = ops.convert_to_numpy(views).round()
    return shown.astype(np.uint8)


def _words(view_seed: int, image_ids: Iterable[str]) -> NDArray[np.float64]:
    """Eight numbers `(N, 8)` from 0 to 2**32 of each image, from a hash of seed and id alone."""
    drawn = b"".join(_hash(f"{view_seed}/{image_id}") for image_id in image_ids)
    return np.frombuffer(drawn, ">u4").reshape(-1, 8).astype(np.float64)


def _about_centre(
    linear: list[list[Numbers]], shift: tuple[Numbers, Numbers], size: Sequence[int]
) -> NDArray[np.float32]:
    """Affine maps `(N, 8)` that shift and then apply `linear` about the centre of the image."""
    centre = ((size[1] - 1) / 2, (size[0] - 1) / 2)
    x, y = (moved - middle for moved, middle in zip(shift, centre, strict=True))
    rows = [
        (to_x, to_y, middle + to_x * x + to_y * y)
        for (to_x, to_y), middle in zip(linear, centre, strict=True)
    ]
    none = np.zeros_like(x)
    return np.stack([*rows[0], *rows[1], none, none], axis=1).astype(np.float32)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
