"""Stage augment: settle the random views, and show what they look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import manifest, paths
from tasks.common.documents import write_json
from tasks.common.errors import command
from tasks.common.params.augment import Augment
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.imaging.pack import open_pack
from tasks.networks import augmentation, test_time
from tasks.networks.views import Views, asked
from tasks.pictures.canvas import drawn, panels, plain

SHOWN_IMAGES = 6
SHOWN_VIEWS = 5


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    augment: Augment


def choose(train: pd.DataFrame, count: int) -> pd.DataFrame:
    """`count` training images spread evenly over the rows in the order of their labels."""
    ordered = train.sort_values(["label", "image_id"], kind="stable")
    picks = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return ordered.iloc[picks].reset_index(drop=True)


def render_views(images: NDArray[np.uint8], views: Views) -> list[NDArray[np.uint8]]:
    """The images themselves and then the first of their views, `(N, H, W, C)` each."""
    epochs = range(1, SHOWN_VIEWS + 1)
    generations = dict.fromkeys(views.generation(epoch) for epoch in epochs)
    drawn = [view for generation in generations for view in views.draw(generation)]
    return [images, *(augmentation.render(images, view) for view in drawn[:SHOWN_VIEWS])]


def draw_sheet(path: Path, columns: list[NDArray[np.uint8]]) -> None:
    """One row per image: the original, and its views beside it."""
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
    """Read manifest and pack; write what draws the views, those of test time, and the contact
    sheet.
    """
    settings = load(Settings)
    train = choose(manifest.of_split(manifest.read_manifest(), "train"), SHOWN_IMAGES)
    images = open_pack()[train["row"].to_numpy()]
    views = asked(settings.augment, tuple(train["image_id"]), images.shape[1:3])
    draw_sheet(paths.CONTACT_SHEET, render_views(images, views))
    write_json(paths.VIEWS, views.settings)
    test_time.write(test_time.drawn(settings.augment, images.shape[1:3]))
    print(f"{_said(views)}, preset {views.preset}: {paths.CONTACT_SHEET}")


def _said(views: Views) -> str:
    if views.count == 0:
        return "A new view of each training image every epoch"
    anew = f", drawn anew every {views.refresh} epochs" if views.refresh else ""
    count = f"{views.shown} view{'s' * (views.shown > 1)}"
    return f"{count} of each training image{anew}"


if __name__ == "__main__":
    main()
