"""Images beside what a network makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from tasks.imaging.resizing import enlarged
from tasks.pictures.canvas import drawn, panels, plain

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]
# Neither as dark as tissue around a finding nor as bright as bone.
HEAT = ListedColormap(mpl.colormaps["inferno"](0.25 + 0.62 * np.linspace(0, 1, 256)))


def overlay(pixels: Pixels, heatmap: Map) -> Pixels:
    """`heatmap` over the image, the hotter the less transparent.

    Args:
        pixels: `(H, W, C) uint8`, C = 1 or 3.
        heatmap: `(h, w)`, not negative; scaled to its own maximum.

    Returns:
        `(H, W, 3) uint8`.
    """
    height, width = pixels.shape[:2]
    smooth = enlarged(heatmap, height, width)
    heat = smooth / max(float(smooth.max()), 1e-12)
    color = HEAT(heat)[..., :3]
    share = (0.65 * heat)[..., None]
    base = np.broadcast_to(pixels / 255, (height, width, 3))
    return np.asarray(np.round(255 * ((1 - share) * base + share * color)), np.uint8)


def beside(path: Path, pixels: Pixels, heatmap: Map, captions: tuple[str, str]) -> None:
    """The image, and beside it the image under its heatmap with the scale of its colours, each
    below its caption.
    """
    height, width = pixels.shape[:2]
    with drawn(path, 6.1, 2.7 * height / width + 0.7) as figure:
        left, right = panels(figure, 2, 2)
        _show(left, pixels)
        _show(right, overlay(pixels, heatmap))
        plain(left, captions[0])
        plain(right, captions[1])
        scale = figure.colorbar(ScalarMappable(cmap=HEAT), ax=right, ticks=[0, 0.5, 1], pad=0.02)
        scale.outline.set_visible(False)
        scale.set_label("evidence, of its largest", fontsize=8)


def captioned(path: Path, images: Pixels, captions: Sequence[str]) -> None:
    """A grid of images `(N, H, W, C)`, each below its caption of up to three lines. What would run
    into the next picture is cut off. Of more in a row a telephone shows no caption legibly.
    """
    height, width = images.shape[1:3]
    columns = min(3, len(images))
    rows = -(-len(images) // columns)
    with drawn(path, max(1.75 * columns, 2.2), (1.7 * height / width + 0.65) * rows) as figure:
        for axes, pixels, caption in zip(
            panels(figure, len(images), columns), images, captions, strict=True
        ):
            _show(axes, pixels)
            plain(axes)
            lines = [line if len(line) <= 26 else f"{line[:25]}…" for line in caption.split("\n")]
            axes.set_title("\n".join(lines), fontsize=8)


def feature_maps(path: Path, pixels: Pixels, maps: Map, title: str, shown: int = 15) -> None:
    """The image and the channels that vary most over it.

    Args:
        path: PNG file.
        pixels: `(H, W, C) uint8`.
        maps: `(h, w, channels)`.
        title: above the grid.
        shown: number of channels.
    """
    order = np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:shown]
    columns = 8
    rows = -(-(len(order) + 1) // columns)
    with drawn(path, 8.8, 1.12 * rows + 0.4) as figure:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        first, *others = panels(figure, len(order) + 1, columns)
        _show(first, pixels)
        plain(first)
        for axes, channel in zip(others, order, strict=True):
            axes.imshow(maps[..., channel], cmap="viridis", interpolation="nearest")
            plain(axes)


def _show(axes: mpl.axes.Axes, pixels: Pixels) -> None:
    axes.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
