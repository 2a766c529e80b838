"""What a peer is given, and what it leaves.

FOLDER/<split>.npz     pixels (N, H, W, C) uint8 and targets (N, K), for train, val and test
FOLDER/start.keras     the network before training, pixels to scores, with its pretrained weights
FOLDER/settings.json   kind, cut_layer, pooled_layer, seed
FOLDER/result.json     the curve, and the AUROC of the kept weights on test
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    import keras

Point = tuple[float, float]  # seconds of training, AUROC on val


class Images(NamedTuple):
    """The images of one split."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.float32]


class Curve:
    """Points of AUROC on val over seconds of training; measuring them does not count."""

    def __init__(self, name: str, auroc: Callable[[], float]) -> None:
        """`auroc` measures that of the present weights on val."""
        self.points: list[Point] = []
        self._name, self._auroc = name, auroc
        self._begun = time.perf_counter()

    def add(self, *_: Any) -> None:
        """Measure after an epoch; whatever else is told of it does not matter."""
        with self.paused() as seconds:
            self.points.append((seconds, self._auroc()))
        print(f"{self._name}: {seconds:7.1f} s  val AUROC {self.points[-1][1]:.4f}", flush=True)

    @contextmanager
    def paused(self) -> Iterator[float]:
        """Stop the clock; gives the seconds of training so far."""
        stopped = time.perf_counter()
        yield stopped - self._begun
        self._begun += time.perf_counter() - stopped


def read(folder: Path) -> tuple[Images, Images, Images]:
    """Train, val and test."""
    found = [np.load(folder / f"{split}.npz") for split in ("train", "val", "test")]
    train, val, test = (Images(arrays["pixels"], arrays["targets"]) for arrays in found)
    return train, val, test


def settings(folder: Path) -> dict[str, Any]:
    """What stands in settings.json."""
    found: dict[str, Any] = json.loads((folder / "settings.json").read_text())
    return found


def auroc(model: keras.Model, images: Images) -> float:
    """The exact AUROC, the mean over the columns of the targets."""
    scores = model.predict(images.pixels.astype(np.float32), batch_size=32, verbose=0)
    return float(roc_auc_score(images.targets, scores[:, -images.targets.shape[1] :]))


def leave(folder: Path, curve: Curve, test: float) -> None:
    """Write the result."""
    (folder / "result.json").write_text(json.dumps({"curve": curve.points, "test": test}))
