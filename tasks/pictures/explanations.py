"""Pictures of explained images: heatmaps with their raw numbers, neighbours in training, layers.

Each function returns entries of `reports/explain/index.json`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.pictures import gallery
from tasks.statistics.examples import Example

Pixels = NDArray[np.uint8]
Heat = NDArray[np.float32]
Entry = dict[str, Any]
SHORT = 12  # characters of an id


class Picture(NamedTuple):
    """An image of the data: its id, its label, and its pixels `(H, W, C)`."""

    image_id: str
    label: str
    pixels: Pixels


def slug(name: str) -> str:
    """A name as part of that of a file."""
    return re.sub(r"\W+", "_", name.lower()).strip("_") or "class"


def examples(
    folder: Path,
    chosen: Sequence[Example],
    shown: Sequence[Picture],
    heat: Heat,
    outputs: Sequence[str],
) -> list[Entry]:
    """Draw each example with its heatmap, of which `heat` is `(N, h, w)`; `outputs` are the classes
    behind the scores.
    """
    taken: Counter[str] = Counter()
    entries = []
    for one, picture, found in zip(chosen, shown, heat, strict=True):
        stem = f"{slug(one.name)}_{'right' if one.right else 'wrong'}"
        taken[stem] += 1
        entry = {
            "file": f"{stem}_{taken[stem]}.png",
            "image_id": picture.image_id,
            "label": one.name,
            "predicted": one.predicted,
            "right": one.right,
            "scored": outputs[one.output],
            "score": round(one.score, 6),
        }
        said = f"predicted {one.predicted}"
        heatmap(folder / str(entry["file"]), picture, found, (outputs[one.output], one.score), said)
        entries.append(entry)
    return entries


def heatmap(path: Path, picture: Picture, heat: Heat, scored: tuple[str, float], said: str) -> None:
    """Draw a heatmap `(h, w)` over its image, and keep its numbers beside it as `.npy`.

    Args:
        path: PNG file.
        picture: the image.
        heat: what speaks for what was said.
        scored: the class whose score it is about, and that score.
        said: in words.
    """
    name, score = scored
    left = (
        f"image {picture.image_id[:SHORT]}\nlabelled {picture.label}\nscore of {name}: {score:.3f}"
    )
    gallery.beside(path, picture.pixels, heat, (left, f"{said}\nwhat speaks for it"))
    np.save(path.with_suffix(".npy"), heat)


def neighbours(folder: Path, entry: Mapping[str, Any], shown: Sequence[Picture]) -> Entry:
    """Draw an example, by its entry, beside the training images that are most like it, the nearest
    first; `shown` are the example and those.
    """
    captions = [
        f"{'training image' if k else 'predicted ' + entry['predicted']}\n"
        f"labelled {one.label}\n{one.image_id[:SHORT]}"
        for k, one in enumerate(shown)
    ]
    file = str(entry["file"]).replace(".png", "_neighbours.png")
    gallery.captioned(folder / file, np.stack([one.pixels for one in shown]), captions)
    near = [one.image_id for one in shown[1:]]
    return {name: entry[name] for name in ("image_id", "label", "predicted")} | {
        "file": file,
        "neighbours": near,
    }


def layer(folder: Path, name: str, picture: Picture, maps: Heat) -> Entry:
    """Draw what a layer makes of an image, `(h, w, channels)`."""
    height, width, channels = maps.shape
    image = picture.image_id[:SHORT]
    title = f"layer {name}: {height} x {width}, {channels} channels; image {image}"
    file = f"features_{image}_{slug(name)}.png"
    gallery.feature_maps(folder / file, picture.pixels, maps, title)
    return {"file": file, "layer": name, "shape": [height, width, channels]}
