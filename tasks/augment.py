"""Stage augment: draw the seeds of the random views, and show what they look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks import manifest, params, paths
from tasks.documents import write_json
from tasks.errors import command
from tasks.imaging.pack import open_pack
from tasks.networks import augmentation
from tasks.networks.augmentation import PRESETS
from tasks.pictures.canvas import drawn, panels, plain

SHOWN_IMAGES = 6
SHOWN_VIEWS = 5


def choose(train: pd.DataFrame, count: int) -> pd.DataFrame:
    """`count` training images spread evenly over the rows in the order of their labels."""
    ordered = train.sort_values(["label", "image_id"], kind="stable")
    picks = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return ordered.iloc[picks].reset_index(drop=True)


def render_views(
    images: NDArray[np.uint8], image_ids: pd.Series[str], preset: str, seeds: list[int]
) -> list[NDArray[np.uint8]]:
    """The images themselves and then each of their views, `(N, H, W, C)` each."""
    size = images.shape[1:3]
    views = [augmentation.draw(PRESETS[preset], seed, image_ids, size) for seed in seeds]
    return [images, *(augmentation.render(images, view) for view in views)]


def draw_sheet(path: Path, columns: list[NDArray[np.uint8]]) -> None:
    """One row an image: the original, and its views beside it."""
    rows, height, width = columns[0].shape[:3]
    path.parent.mkdir(parents=True, exist_ok=True)
    with drawn(path, 1.5 * len(columns), 1.5 * rows * height / width + 0.3) as figure:
        axes = panels(figure, rows * len(columns), len(columns))
        for i, axis in enumerate(axes):
            row, column = divmod(i, len(columns))
            axis.imshow(columns[column][row].squeeze(), cmap="gray", vmin=0, vmax=255)
            title = "original" if column == 0 else f"view {column}"
            plain(axis, title if row == 0 else "")


@command
def main() -> None:
    """Read manifest and pack; write the views' seeds and the contact sheet."""
    settings = params.load()
    preset, views = settings.augment.preset, settings.augment.views
    # Without any change all views are alike, and one is enough.
    seeds = augmentation.view_seeds(settings.augment.seed, 1 if preset == "none" else views)
    train = choose(manifest.of_split(manifest.read_manifest(), "train"), SHOWN_IMAGES)
    images = open_pack()[train["row"].to_numpy()]
    shown = render_views(images, train["image_id"], preset, seeds[:SHOWN_VIEWS])
    draw_sheet(paths.CONTACT_SHEET, shown)
    write_json(paths.VIEWS, {"preset": preset, "seeds": seeds})
    print(f"{len(seeds)} views of each training image, preset {preset}: {paths.CONTACT_SHEET}")


if __name__ == "__main__":
    main()
