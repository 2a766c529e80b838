"""The frozen pass by ONNX Runtime in place of TensorFlow, on a CPU: how fast, and what is learnt.

    python -m benchmarks.onnx_pass [--limit 256]

Both take random views of the same grey images of 224 pixels, noise of two brightnesses, in the same
batches with the same threads, augmented by TensorFlow; what they give before the head is rounded as
it is stored. They are measured in turn; medians. The graph is exported as the stage compress does.
On what each gives a head is trained as the stage train does; trained on the fly, it would see what
TensorFlow gives. The figure is by how much its weights differ, over what they may where activations
are stored or computed on the fly.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu import SIZE, compare, make_data
from benchmarks.result import report
from tasks.common import paths
from tasks.common.params.loading import load
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.common.params.whole import Params
from tasks.compression.export import OUTPUTS, export
from tasks.graphs import running
from tasks.graphs.canonical import INPUT
from tasks.networks import augmentation, device
from tasks.networks.architecture import DROPOUT, POOLED, build
from tasks.networks.feeds import Examples, Stored, with_views
from tasks.networks.fit import Plan, fit
from tasks.networks.layers import cut, last_conv_layer
from tasks.networks.passes import Data
from tasks.networks.prediction import BATCH_SIZE, outputs

ALLOWED = 1e-5  # difference of weights, of the largest where that is more than 1
GOAL = 1.0
TASK = Task(kind="binary", classes=["a", "b"])

Forward = Callable[[Any], Any]
Features = NDArray[np.float16]


def by_keras(model: keras.Model) -> Forward:
    """The features of a batch of views, as a pass computes them."""
    frozen, _ = cut(model, DROPOUT)
    return device.backend.forward(with_views(frozen))


def by_onnx(model: keras.Model, threads: int) -> Forward:
    """The same, by ONNX Runtime behind TensorFlow's augmentation."""
    given = [keras.Input(shape) for shape in (model.input_shape[1:], (8,), (1,))]
    views = device.backend.forward(keras.Model(given, augmentation.apply(*given)))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.onnx"
        export(model, POOLED, last_conv_layer(model), file)
        run = running.session(file.read_bytes(), threads).run
    print(f"exported in {time.perf_counter() - start:.0f} s")
    return lambda inputs: run(OUTPUTS[:1], {INPUT: np.asarray(views(inputs))})


def features(forward: Forward, data: Data) -> Features:
    """What arrives at the head from a view of each training image."""
    images, drawn = data.train.images, augmentation.stack(data.views.draw(0))

    def take(rows: slice) -> list[NDArray[Any]]:
        chosen = np.arange(rows.start, rows.stop)
        return [images[chosen], drawn.affine[rows], drawn.contrast[rows]]

    with redirect_stdout(io.StringIO()):
        passed = outputs(forward, len(images), BATCH_SIZE, take, "Views")
        return np.concatenate([np.asarray(found, np.float16) for _, (found,) in passed])


def trained(head: keras.Model, found: Features, data: Data, phase: Train) -> list[NDArray[Any]]:
    """The weights of a head, begun anew, that is trained on features."""
    keras.utils.set_random_seed(phase.seed)
    fresh, seen = keras.models.clone_model(head), Examples(found, data.train.targets)
    plan = Plan(TASK.kind, phase, np.ones((2, 1), np.float32), phase.seed)
    with tempfile.TemporaryDirectory() as state, redirect_stdout(io.StringIO()):
        os.environ["MEDLOOP_STATE"] = state
        fit(fresh, Stored(lambda _: seen), seen, plan, lambda *_: None)
    weights: list[NDArray[Any]] = fresh.get_weights()
    return weights


def apart(one: list[NDArray[Any]], other: list[NDArray[Any]]) -> float:
    """The largest difference of weights, over the largest of an array where that is more than 1."""
    arrays = zip(one, other, strict=True)
    return max(float(np.abs(a - b).max() / max(1, np.abs(a).max())) for a, b in arrays)


def measure(forwards: list[Forward], data: Data) -> list[Features]:
    """Print how fast both compute; what they give."""
    last: dict[Forward, Features] = {}

    def work(forward: Forward, _: int) -> None:
        last[forward] = features(forward, data)

    count = len(data.train.images)
    found = compare("pass", count, *(partial(work, forward) for forward in forwards))
    print(
        f"images per second: TensorFlow {count / found.phase:.1f}, ONNX Runtime "
        f"{count / found.bare:.1f}, {found.phase / found.bare:.2f} times as many"
    )
    return [last[forward] for forward in forwards]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_pass")
    parser.add_argument("--limit", type=int, default=256, help="images")
    limit = parser.parse_args().limit
    settings = load(Params, Path(__file__).resolve().parent.parent / paths.PARAMS)
    phase = settings.train
    device.prepare(phase.threads, phase.seed)
    if keras.backend.backend() != "tensorflow" or device.backend.gpus():
        sys.exit("required: KERAS_BACKEND=tensorflow, and a machine without a GPU")
    pixels = PixelSettings(size=[SIZE, SIZE], color="grey", window=None)
    model = build(settings.model, pixels, TASK)
    data = make_data(limit, views=1)
    forwards = [by_keras(model), by_onnx(model, phase.threads)]
    print(f"{settings.model.backbone}, {limit} views of {pixels.size}")
    both = measure(forwards, data)
    repeats = np.array_equal(both[1], features(forwards[1], data))
    print(
        f"{(both[0] != both[1]).mean():.2%} of the features are rounded otherwise; "
        f"ONNX Runtime {'repeats' if repeats else 'does not repeat'} to the bit"
    )
    _, head = cut(model, DROPOUT)
    weights = [trained(head, found, data, phase) for found in both]
    print(f"weights of the head differ by up to {apart(*weights):.1e}; allowed are {ALLOWED:g}")
    report("onnx_pass", apart(*weights) / ALLOWED, GOAL, at_most=True)


if __name__ == "__main__":
    main()
