"""The file that serves against the float model, by how long one call takes.

    python -m benchmarks.compress [--backbone ResNet50]

The file is made as the stage compress makes it, with the limits of params.yaml, of noise of two
brightnesses, which a head that knows the mean features of both tells apart; images that are harder
to tell may leave more layers in float. Beside it stand the float file, a `tf.function` of the Keras
model, which is the reference, and Keras's `predict` for scale. For batches of 1 and 8, with one
thread and with all cores, each set in a process of its own, all are called in turn; medians.
Weights are random where ImageNet's cannot be had, for they do not change the time. The figure is
how many times as fast as the reference the file answers a batch of one, with one thread or all,
whichever is less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result import report
from tasks.common import paths
from tasks.common.params.loading import load
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.common.params.whole import Params
from tasks.imaging.images import Images
from tasks.serving.session import Session
from tasks.serving.settings import FLOAT
from tasks.statistics.operating_point import OperatingPoint

GOALS = {"EfficientNetLite0": 2.5, "ResNet50": 3.0}
PACKAGED = {"EfficientNetLite0"}  # their ImageNet weights come with a Python package
SIZE, COUNT = 224, 64
SURE = 8.0  # between the mean logits of the two
BATCHES, CALLS = (1, 8), 21
REFERENCE = "tf.function"

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Call = Callable[[Pixels], Any]


def noise() -> Pixels:
    """Images `(64, 224, 224, 1)` of two brightnesses, in turn."""
    images = np.random.default_rng(0).integers(0, 156, (COUNT, SIZE, SIZE, 1), np.uint8)
    images[1::2] += 100
    return images


def make(backbone: str, folder: Path) -> str:
    """Write the network and its files; return the name of the one that serves."""
    import keras

    from tasks.compression.candidates import Network, Side
    from tasks.compression.candidates import make as make_files
    from tasks.compression.test_time import NO_VIEWS
    from tasks.networks import architecture, files, layers

    task = Task(kind="binary", classes=["a", "b"])
    pixels = PixelSettings(size=[SIZE, SIZE], color="grey", window=None)
    origin = "imagenet" if backbone in PACKAGED else "none"
    chosen = Model.model_validate({"backbone": backbone, "weights": origin, "dropout": 0.0})
    model = architecture.build(chosen, pixels, task)
    images, rows = noise(), np.arange(COUNT, dtype=np.int64)
    pooled = keras.Model(model.input, model.get_layer(architecture.POOLED).output)
    dark, bright = (pooled.predict(images[k::2], verbose=0).mean(axis=0) for k in (0, 1))
    weights = SURE * (bright - dark) / ((bright - dark) ** 2).sum()
    bias = -weights @ (bright + dark) / 2
    model.get_layer(architecture.LOGITS).set_weights([weights[:, None], np.array([bias])])
    val = Side(Images(images, rows), (rows[:, None] % 2).astype(np.float64), rows.astype(str))
    point = OperatingPoint("youden", 0.9, {"b": 0.5})
    maps = layers.last_conv_layer(model)
    network = Network(model, architecture.LOGITS, maps, task.kind, point, val, NO_VIEWS)
    limits = load(Params, Path(__file__).resolve().parent.parent / paths.PARAMS).compress
    exact, quick = make_files(network, images, limits, folder)
    assert quick is not None  # no network of Keras goes without
    files.save(model, folder / paths.MODEL.name)
    print(
        f"{backbone}: int8 loses {quick.cost.auroc:.4f} of AUROC, changes {quick.cost.changed:.2%}"
        f" of the predictions, {len(quick.in_float)} layers in float"
    )
    return (quick.made if quick.holds else exact).path.name


def measure(folder: Path, serves: str, threads: int) -> dict[str, dict[str, float]]:
    """Batch size -> what was called -> seconds per call."""
    import tensorflow as tf

    from tasks.networks import files

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = files.load(folder / paths.MODEL.name)
    compiled = tf.function(lambda images: model(tf.cast(images, tf.float32), training=False))
    chosen, exact = (Session(folder / name, threads) for name in (serves, FLOAT))
    calls: dict[str, Call] = {
        "the file that serves": chosen.scores,
        "float ONNX": exact.scores,
        REFERENCE: lambda images: compiled(images).numpy(),
        "Keras predict": lambda images: model.predict(images, verbose=0),
    }
    return {str(size): in_turn(calls, noise()[:size]) for size in BATCHES}


def in_turn(calls: dict[str, Call], images: Pixels) -> dict[str, float]:
    """Medians of the seconds that each takes; the first turn warms up, and is left out."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(CALLS + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call(images)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(found[1:]) for name, found in seconds.items()}


def measured_alone(folder: Path, serves: str, threads: int) -> dict[str, dict[str, float]]:
    """`measure` in a process of its own: TensorFlow takes its threads once."""
    command = [sys.executable, "-m", "benchmarks.compress", "--measure", str(folder), serves]
    done = subprocess.run([*command, str(threads)], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compress")
    parser.add_argument("--backbone", choices=GOALS, default="EfficientNetLite0")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        folder, serves, threads = arguments.measure
        print(json.dumps(measure(Path(folder), serves, int(threads))))
        return
    times = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        serves = make(arguments.backbone, folder)
        print(f"{serves} serves\n\n{'threads  batch  milliseconds per call':32}")
        for threads in (1, os.cpu_count() or 1):
            for size, found in measured_alone(folder, serves, threads).items():
                shown = ", ".join(f"{name} {1000 * s:.1f}" for name, s in found.items())
                print(f"{threads:7}  {size:>5}  {shown}", flush=True)
                if size == "1":
                    times.append(found[REFERENCE] / found["the file that serves"])
    report("compress", min(times), GOALS[arguments.backbone])


if __name__ == "__main__":
    main()
