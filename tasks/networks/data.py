"""What training reads: the train and val images of the manifest, with targets and views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks import labels, manifest, params, paths
from tasks.documents import read_json
from tasks.imaging.pack import open_pack
from tasks.networks import augmentation
from tasks.networks.augmentation import PRESETS, Transforms
from tasks.networks.fit import Examples
from tasks.networks.prefix import activations


@dataclass(frozen=True)
class Split:
    """Prepared images `(N, H, W, C)`, targets `(N, K)` and the views that training sees."""

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    views: list[Transforms]


def read(task: params.Task) -> tuple[Split, Split]:
    """The train split in its random views, and the val split as it is."""
    table, pack, views = manifest.read_manifest(), open_pack(), read_json(paths.VIEWS)
    size = pack.shape[1:3]
    splits = []
    for name in ("train", "val"):
        rows = manifest.of_split(table, name)
        drawn = [
            augmentation.draw(PRESETS[views["preset"]], seed, rows["image_id"], size)
            for seed in views["seeds"]
        ]
        splits.append(
            Split(
                pack[rows["row"].to_numpy()],
                labels.encode(rows["label"], task.kind, task.names),
                drawn if name == "train" else [augmentation.plain(len(rows))],
            )
        )
    return splits[0], splits[1]


def examples(
    model: keras.Model, layers: Sequence[str], train: Split, val: Split
) -> dict[str, tuple[Examples, Examples]]:
    """Layer -> what arrives there from the train and from the val split."""
    passes: list[list[Any]] = [
        activations(model, layers, split.images, split.views, f"Frozen part, {name} images")
        for name, split in (("train", train), ("val", val))
    ]
    return {
        layer: (Examples(passes[0][i], train.targets), Examples(passes[1][i], val.targets))
        for i, layer in enumerate(layers)
    }
