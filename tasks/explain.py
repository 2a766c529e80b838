"""Stage explain: where the network looked (Grad-CAM) and what its layers see (feature maps)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels, manifest, paths
from tasks.common.documents import fresh_folder, read_json, write_json
from tasks.common.errors import command
from tasks.common.params.explain import Explain
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.imaging.pack import open_pack
from tasks.networks import features, files, gradcam, layers
from tasks.pictures import gallery
from tasks.statistics import Array, curves, scores
from tasks.statistics.metrics import Sample
from tasks.statistics.operating_point import OperatingPoint

if TYPE_CHECKING:
    import keras


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    explain: Explain


@dataclass(frozen=True)
class Example:
    """A test image to show.

    `row` is its place among the test images, `name` the class that its label holds, `predicted`
    what was said about it, `output` whose score says so, by being low where `absent`.
    """

    row: int
    name: str
    predicted: str
    right: bool
    output: int
    absent: bool
    score: float


def choose(sample: Sample, classes: Sequence[str], count: int) -> list[Example]:
    """For each class, among the images that hold it, the `count` most confident right predictions
    and the `count` most confident wrong ones.

    Confidence is the score of what was predicted: of a class that was predicted absent, 1 - score.
    """
    held, outputs, confidence, right = _by_class(sample)
    answers = curves.answers(sample.kind, classes, sample.predictions)
    chosen = []
    for k, name in enumerate(classes):
        said = answers[k] if sample.kind == "multilabel" else answers[0]
        for wanted in (True, False):
            rows = np.flatnonzero(held[:, k] & (right[:, k] == wanted))
            best = rows[np.argsort(-confidence[rows, k], kind="stable")][:count]
            for row in best.tolist():
                output = int(outputs[row, k])
                absent = not sample.predictions[row, output]
                score = float(sample.scores[row, output])
                chosen.append(Example(row, name, said[row], wanted, output, absent, score))
    return chosen


def _by_class(sample: Sample) -> tuple[NDArray[Any], NDArray[Any], Array, NDArray[Any]]:
    """Whether each image holds each class, which output speaks about it, how confidently, and
    whether it is right; each `(N, classes)`.
    """
    held, said, given = sample.targets > 0, sample.predictions > 0, sample.scores
    if sample.kind == "multiclass":
        top = np.broadcast_to(said.argmax(axis=1)[:, None], held.shape)
        return held, top, np.take_along_axis(given, top, axis=1), said
    if sample.kind == "binary":
        held = np.hstack([~held, held])
    outputs = np.broadcast_to(np.arange(said.shape[1]), held.shape)
    confidence = np.broadcast_to(np.where(said, given, 1 - given), held.shape)
    return held, outputs, confidence, np.broadcast_to(said == (sample.targets > 0), held.shape)


def draw_examples(
    folder: Path,
    model: keras.Model,
    images: NDArray[np.uint8],
    table: pd.DataFrame,
    chosen: Sequence[Example],
    outputs: Sequence[str],
) -> list[dict[str, Any]]:
    """Write one picture per example and return the entries of the index.

    Args:
        folder: where the PNG files go.
        model: the network.
        images: of the examples, `(len(chosen), H, W, C)`.
        table: the score table's test rows.
        chosen: the examples.
        outputs: the class behind each output.
    """
    taken: Counter[str] = Counter()
    entries = []
    heatmaps = _heatmaps(model, images, chosen)
    for pixels, heatmap, example in zip(images, heatmaps, chosen, strict=True):
        stem = f"{_slug(example.name)}_{'right' if example.right else 'wrong'}"
        taken[stem] += 1
        image_id, scored = str(table.loc[example.row, "image_id"]), outputs[example.output]
        entry = {
            "file": f"{stem}_{taken[stem]}.png",
            "image_id": image_id,
            "label": example.name,
            "predicted": example.predicted,
            "right": example.right,
            "scored": scored,
            "score": round(example.score, 6),
        }
        captions = (
            f"image {image_id[:12]}\nlabelled {example.name}\n"
            f"score of {scored}: {example.score:.3f}",
            f"predicted {example.predicted}\nwhat speaks for it",
        )
        gallery.beside(folder / str(entry["file"]), pixels, heatmap, captions)
        entries.append(entry)
    return entries


def _heatmaps(
    model: keras.Model, images: NDArray[np.uint8], chosen: Sequence[Example]
) -> list[NDArray[np.float32]]:
    """One heatmap per example, those of one output and direction together."""
    found: dict[int, NDArray[np.float32]] = {}
    sought = [(example.output, example.absent) for example in chosen]
    for output, absent in dict.fromkeys(sought):
        places = [k for k, other in enumerate(sought) if other == (output, absent)]
        found |= zip(places, gradcam.heatmaps(model, images[places], output, absent), strict=True)
    return [found[k] for k in range(len(chosen))]


def draw_layers(
    folder: Path, model: keras.Model, pixels: NDArray[np.uint8]
) -> list[dict[str, Any]]:
    """Write the feature maps of an early and of a late layer and return their index entries."""
    entries = []
    for depth, name in zip(("early", "late"), layers.feature_layers(model), strict=True):
        maps = features.maps(model, name, pixels)
        height, width, channels = maps.shape
        title = f"{depth} layer {name}: {height} x {width}, {channels} channels"
        file = f"features_{depth}.png"
        gallery.feature_maps(folder / file, pixels, maps, title)
        entries.append({"file": file, "layer": name, "shape": [height, width, channels]})
    return entries


def _slug(name: str) -> str:
    """A class name as part of a file name."""
    return re.sub(r"\W+", "_", name.lower()).strip("_") or "class"


@command
def main() -> None:
    """Read model, scores and pack; write the overlays, the feature maps and their index."""
    settings = load(Settings)
    task = settings.task
    table = scores.of_split(pd.read_parquet(paths.SCORES), "test")
    sample = scores.sample(table, task, OperatingPoint(**read_json(paths.OPERATING_POINT)))
    chosen = choose(sample, task.names, settings.explain.examples)
    rows = manifest.read_manifest().set_index("image_id")["row"]
    shown = table["image_id"].iloc[[example.row for example in chosen]]
    images = open_pack()[rows.loc[shown.to_list()]]
    model = files.load(paths.MODEL)
    folder = fresh_folder(paths.EXPLAIN)
    outputs = labels.scored(task.kind, task.names)
    index = {
        "examples": draw_examples(folder, model, images, table, chosen, outputs),
        "features": draw_layers(folder, model, images[0]),
    }
    write_json(folder / "index.json", index)
    print(f"{len(chosen)} Grad-CAM overlays and feature maps of {len(index['features'])} layers")


if __name__ == "__main__":
    main()
