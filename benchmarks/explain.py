"""Grad-CAM beside the plain forward pass: images per second of the one over those of the other.

    python -m benchmarks.explain [--images 192] [--backbone EfficientNetLite0]

Both run over the same grey images of 224 pixels in batches, in turn, after one batch that compiles
each; medians. The reference is the scoring of the stage evaluate. The images are noise and the
weights random, for neither changes the time. Occlusion, which needs many scores of each image, is
printed beside them and has no goal.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.result import report
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.networks import device, methods, scoring
from tasks.networks.architecture import build
from tasks.networks.prediction import BATCH_SIZE

GOAL = 0.4
SIDE, ROUNDS, COVERED = 224, 3, 2
Work = Callable[[NDArray[np.uint8]], object]


def in_turn(works: dict[str, Work], images: NDArray[np.uint8]) -> dict[str, float]:
    """Images a second of each, the median of some rounds."""
    for work in works.values():
        work(images[:BATCH_SIZE])
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            seconds[name].append(_seconds(work, images))
    return {name: len(images) / statistics.median(found) for name, found in seconds.items()}


def _seconds(work: Work, images: NDArray[np.uint8]) -> float:
    begun = time.perf_counter()
    work(images)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain")
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--backbone", default="EfficientNetLite0")
    given = parser.parse_args()
    device.prepare(threads=2, seed=1)
    model = build(
        Model(backbone=given.backbone, weights="none", dropout=0.2),
        PixelSettings(size=[SIDE, SIDE], color="grey", window=None),
        Task(kind="binary", classes=["without", "with"]),
    )
    shape = (max(given.images, BATCH_SIZE), SIDE, SIDE, 1)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    grad_cam, cam = (methods.explainer(model, name) for name in ("gradcam", "cam"))
    found = in_turn(
        {
            "forward": lambda batch: scoring.score(model, batch),
            "gradcam": lambda batch: grad_cam(batch, 0, False),
            "cam": lambda batch: cam(batch, 0, False),
        },
        images,
    )
    covering = methods.explainer(model, "occlusion")
    found["occlusion"] = COVERED / _seconds(lambda few: covering(few, 0, False), images[:COVERED])
    print(f"{'':10} {'images/s':>10} {'of forward':>12}")
    for name, speed in found.items():
        print(f"{name:10} {speed:10.1f} {speed / found['forward']:12.3f}")
    report("explain", found["gradcam"] / found["forward"], GOAL)


if __name__ == "__main__":
    main()
