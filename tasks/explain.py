"""Stage explain: where the network looked, whether that is so, and what its layers see.

python -m tasks.explain          the stage: examples of the test images, and tests of their heatmaps
python -m tasks.explain ID ..    draw images of any side by their image_id, for every class, into
                                 reports/explained, with the raw heatmaps as .npy
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels, manifest, paths, wording
from tasks.common.documents import fresh_folder, read_json, write_json
from tasks.common.errors import ParameterError, command
from tasks.common.params.explain import Explain
from tasks.common.params.loading import load
from tasks.common.params.section import Confidence, Part
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.imaging import masks
from tasks.imaging.images import Images
from tasks.imaging.pack import made_with, open_pack
from tasks.networks import device, features, files, heatmaps, layers, methods, scoring, test_time
from tasks.networks.explanation_checks import Explained, check
from tasks.networks.heatmaps import Explainer
from tasks.pictures import explanations
from tasks.pictures.explanations import Entry, Picture
from tasks.statistics import examples, scores
from tasks.statistics.metrics import Sample
from tasks.statistics.operating_point import OperatingPoint

if TYPE_CHECKING:
    import keras

NEIGHBOURS = 5  # training images beside each wrong example


class Intervals(Part):
    """Of the section `evaluate`, the confidence of its intervals."""

    confidence: Confidence


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    train: Train
    evaluate: Intervals
    explain: Explain


@dataclass(frozen=True)
class World:
    """What is explained: settings, network, pack, and the manifest's usable rows by image_id."""

    settings: Settings
    model: keras.Model
    pack: NDArray[np.uint8]
    rows: pd.DataFrame

    @property
    def method(self) -> str:
        """How the stage explains."""
        return methods.usual(self.model)

    @cached_property
    def explain(self) -> Explainer:
        """What the stage explains with; compiled once."""
        return methods.explainer(self.model, self.method)

    @cached_property
    def outputs(self) -> list[str]:
        """The classes behind the scores."""
        return labels.scored(self.settings.task.kind, self.settings.task.names)

    def pictures(self, image_ids: Sequence[str]) -> list[Picture]:
        """Images by their ids."""
        known = self.rows.loc[list(image_ids), ["label", "row"]].itertuples(name=None)
        return [Picture(image_id, label, self.pack[row]) for image_id, label, row in known]

    def pixels(self, image_ids: Sequence[str]) -> NDArray[np.uint8]:
        """`(N, H, W, C)` of images."""
        found: NDArray[np.uint8] = self.pack[self.rows.loc[list(image_ids), "row"].to_numpy()]
        return found


def read_world() -> World:
    """Manifest, pack and model, once the devices are made exact."""
    settings = load(Settings)
    device.prepare(settings.train.threads, settings.train.seed)
    rows = manifest.read_manifest().set_index("image_id")
    return World(settings, files.load(paths.MODEL), open_pack(), rows)


def draw(folder: Path, world: World, table: pd.DataFrame, sample: Sample) -> dict[str, list[Entry]]:
    """Draw examples, the training images that are like wrong ones, and what layers make of the
    first; return the index. `table` and `sample` are the test images.
    """
    task, settings = world.settings.task, world.settings.explain
    chosen = examples.choose(sample, task.names, settings.examples)
    ids = [str(table.loc[one.row, "image_id"]) for one in chosen]
    sought = [(one.output, one.absent) for one in chosen]
    heat = heatmaps.of_each(world.explain, world.pixels(ids), sought)
    shown = world.pictures(ids)
    entries = explanations.examples(folder, chosen, shown, heat, world.outputs)
    return {
        "examples": entries,
        "neighbours": draw_neighbours(folder, world, [e for e in entries if not e["right"]]),
        "features": draw_layers(folder, world, shown[:1], layers.feature_layers(world.model)),
    }


def draw_neighbours(folder: Path, world: World, wrong: Sequence[Entry]) -> list[Entry]:
    """For each wrong example, the training images that are most like it to the frozen backbone."""
    if not wrong:
        return []
    found = features.pooled(files.load(paths.HEAD_MODEL), world.pack)
    training = world.rows[world.rows["split"] == "train"]
    rows = world.rows.loc[[entry["image_id"] for entry in wrong], "row"]
    near = features.nearest(found[rows], found[training["row"]], NEIGHBOURS)
    return [
        explanations.neighbours(
            folder, entry, world.pictures([entry["image_id"], *training.index[places]])
        )
        for entry, places in zip(wrong, near, strict=True)
    ]


def draw_layers(
    folder: Path, world: World, shown: Sequence[Picture], names: Sequence[str]
) -> list[Entry]:
    """What each of the layers makes of each image."""
    return [
        explanations.layer(folder, name, picture, features.maps(world.model, name, picture.pixels))
        for picture in shown
        for name in names
    ]


def check_classes(world: World, table: pd.DataFrame, sample: Sample) -> dict[str, Any]:
    """What the tests find of the heatmaps of each class, on test images that are answered right."""
    task, confidence = world.settings.task, world.settings.evaluate.confidence
    rows, groups = world.rows.loc[table["image_id"], "row"].to_numpy(), table["group"].to_numpy(str)
    known = dict(read_masks(world, table["image_id"].to_list()))
    found = {}
    for name, right in examples.right(sample, task.names).items():
        at = [one.row for one in right]
        given = Explained(
            Images(world.pack, rows[at]),
            [(one.output, one.absent) for one in right],
            groups[at],
            {place: known[row] for place, row in enumerate(at) if row in known},
        )
        found[name] = check(world.model, world.explain, given, confidence)
    return found


def read_masks(world: World, image_ids: Sequence[str]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """The masks of images that have one with a finding, by their place."""
    known = world.rows.loc[list(image_ids), ["mask", "height", "width"]]
    size = world.pack.shape[1:3]
    for place, (file, height, width) in enumerate(known.itertuples(index=False, name=None)):
        if isinstance(file, str):
            content = (paths.RAW / file).read_bytes()
            mask = masks.prepare(content, (height, width), size, made_with().fit)
            if mask is not None:
                yield place, mask


def explain_chosen(given: Sequence[str], chosen: str | None, names: Sequence[str]) -> list[Path]:
    """Draw images by their ids for every class, and what layers make of them."""
    world = read_world()
    method = chosen or world.method
    ids = manifest.find(world.rows.index.to_list(), given)
    if unknown := set(names) - {layer.name for layer in world.model.layers}:
        such = " and ".join(layers.feature_layers(world.model)) or "none of this one"
        raise ParameterError(
            f"required: names of layers of the network, such as {such}; received: "
            f"{', '.join(sorted(unknown))}"
        )
    explain, shown = methods.explainer(world.model, method), world.pictures(ids)
    paths.EXPLAINED.mkdir(parents=True, exist_ok=True)
    judges = test_time.averaged(world.model, test_time.read())
    said = scoring.score(judges, world.pixels(ids))
    drawn = []
    for k, name in enumerate(world.outputs):
        found = explain(world.pixels(ids), k, False)
        for picture, heat, score in zip(shown, found, said[:, k], strict=True):
            stem = f"{picture.image_id[:12]}_{method}_{explanations.slug(name)}.png"
            drawn.append(paths.EXPLAINED / stem)
            explanations.heatmap(drawn[-1], picture, heat, (name, float(score)), name)
    entries = draw_layers(paths.EXPLAINED, world, shown, names)
    return drawn + [paths.EXPLAINED / entry["file"] for entry in entries]


def run_stage() -> None:
    """Draw and test; write what was found."""
    world = read_world()
    task = world.settings.task
    table = scores.of_split(pd.read_parquet(paths.SCORES), "test")
    sample = scores.sample(table, task, OperatingPoint(**read_json(paths.OPERATING_POINT)))
    folder = fresh_folder(paths.EXPLAIN)
    index = draw(folder, world, table, sample)
    write_json(folder / "index.json", index)
    checks = check_classes(world, table, sample)
    write_json(paths.EXPLANATIONS, {"method": world.method, "classes": checks})
    drawn, tested = len(index["examples"]), len(checks)
    print(f"{drawn} heatmaps drawn ({world.method}), those of {tested} classes tested")
    for told in wording.heatmaps(checks):
        print(f"Warning: {told}")


@command
def main() -> None:
    """Run the stage, or draw chosen images."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.explain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="images, or first characters of them")
    parser.add_argument("--method", choices=methods.NAMES, help="default: what the stage takes")
    parser.add_argument("--layer", nargs="+", default=[], metavar="NAME", help="draw these too")
    given = parser.parse_args()
    if given.ids:
        print("\n".join(map(str, explain_chosen(given.ids, given.method, given.layer))))
    else:
        run_stage()


if __name__ == "__main__":
    main()
