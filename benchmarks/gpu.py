"""Training against its own compiled steps, bare: on the accelerator that is there, or the CPU.

The reference of each phase is Keras's compiled function for it, as often as the phase has batches,
on one batch that lies on the device: no reading, no shuffling, no drawing, no storing.
Both are measured in turn, after a turn that counts for nothing; the medians are compared. The
images are noise and the weights random, for neither changes the time.

    python -m benchmarks.gpu [--limit 4096] [--backbone ResNet50] [--batch-size 32]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from benchmarks.result import report
from tasks.common.params.fine_tune import FineTune
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.imaging.images import Images
from tasks.networks import device
from tasks.networks.architecture import DROPOUT, build
from tasks.networks.data import Data, SplitData
from tasks.networks.feeds import Examples, Feed, OnTheFly, Stored, with_views
from tasks.networks.fit import Plan, Trainer
from tasks.networks.layers import cut, cut_layers, default_cut, train_only
from tasks.networks.precision import computing
from tasks.networks.prediction import BATCH_SIZE
from tasks.networks.prefix import Prefix
from tasks.networks.views import Views

TURNS = 5
HEAD_EPOCHS, FINE_TUNE_EPOCHS = 10, 3
GOAL = 0.9  # of the bare speed, in whole phases
FED_GOAL = 0.95  # on the fly, where the step is all that the phase does but for being fed
SIZE = 224

Work = Callable[[int], None]  # of one turn


class Measured(NamedTuple):
    """Seconds of a phase and of its bare steps, medians of several turns."""

    name: str
    images: int  # in one turn
    phase: float
    bare: float

    @property
    def share(self) -> float:
        """Of the bare speed."""
        return self.bare / self.phase

    def __str__(self) -> str:
        return f"{self.name:26} {self.images / self.phase:9.1f} {self.share:9.3f}"


def make_data(count: int, views: int = 0) -> Data:
    """Noise of two classes, one brighter than the other; by default with one view per image that is
    new every epoch.
    """
    random = np.random.default_rng(0)
    pack = random.integers(0, 200, (count, SIZE, SIZE, 1), np.uint8)
    pack[1::2] += 50
    targets = (np.arange(count) % 2).astype(np.float32)[:, None]
    rows = random.permutation(count)
    split = SplitData(Images(pack, rows), targets[rows])
    ids = [f"{k:064x}" for k in range(count)]
    return Data(split, split, Views("radiograph", 1, views, None, tuple(ids), (SIZE, SIZE)))


def compare(name: str, images: int, phase: Work, bare: Work) -> Measured:
    """Both in turn; the first turn compiles, and is left out."""
    seconds: dict[Work, list[float]] = {phase: [], bare: []}
    for turn in range(TURNS + 1):
        for work, found in seconds.items():
            start = time.perf_counter()
            work(turn)
            found.append(time.perf_counter() - start)
    medians = [statistics.median(found[1:]) for found in seconds.values()]
    return Measured(name, images, *medians)


def the_pass(model: keras.Model, layers: list[str], data: Data) -> Measured:
    """The frozen part: all images in one view each, stored. Compiled in the first turn."""
    images, views = data.train.images, data.views
    prefix, cuts = Prefix(model, layers), cut_layers(model)
    part = with_views(keras.Model(model.input, [cuts[layer] for layer in layers]))
    view = views.draw(0)[0][:BATCH_SIZE]
    batch = _resident((images[:BATCH_SIZE], view.affine, view.contrast))

    def phase(turn: int) -> None:
        prefix.activations(images, views.draw(turn), "Frozen part")

    def bare(_: int) -> None:
        part.make_predict_function()
        for _ in range(len(images) // BATCH_SIZE):
            outputs = part.predict_function([(batch,)])
        keras.ops.convert_to_numpy(outputs[-1])  # waits for the device

    return compare("frozen part, a view", len(images), phase, bare)


def a_fit(name: str, model: keras.Model, feed: Feed, data: Data, plan: Plan) -> Measured:
    """Epochs of one phase."""
    trainer = Trainer(model, feed, plan)
    batches = feed.batches(1, plan.seed, plan.phase.batch_size)
    batch = _resident(batches[0])

    def phase(turn: int) -> None:
        for epoch in range(plan.phase.epochs):
            trainer.one_epoch(1 + turn * plan.phase.epochs + epoch)

    def bare(_: int) -> None:
        trainer.network.make_train_function()
        for _ in range(plan.phase.epochs * len(batches)):
            found = trainer.network.train_function(iter([batch]))
        float(found["loss"])  # waits for the device

    return compare(name, plan.phase.epochs * len(data.train.images), phase, bare)


def measure(model: keras.Model, backbone: str, data: Data, batch_size: int) -> list[Measured]:
    """Every phase: the pass, head, fine-tune on stored activations and on the fly."""
    layers = [default_cut(backbone), DROPOUT]
    passed = the_pass(model, layers, data)
    views, images, targets = data.views, data.train.images, data.train.targets
    stored = Prefix(model, layers).activations(images, views.draw(0), "Frozen part")
    late, pooled = (_feed(Examples(activations, targets)) for activations in stored)
    _, head = cut(model, DROPOUT)
    frozen, suffix = cut(model, layers[0])
    train_only(model, head)
    fits = [a_fit("head, stored", head, pooled, data, _plan(HEAD_EPOCHS, batch_size))]
    train_only(model, suffix)
    plan = _plan(FINE_TUNE_EPOCHS, batch_size)
    fits.append(a_fit("fine-tune, stored", suffix, late, data, plan))
    on_the_fly = OnTheFly(frozen, images, targets, views)
    fits.append(a_fit("fine-tune, on the fly", suffix, on_the_fly, data, _plan(1, batch_size)))
    return [passed, *fits]


def summed(name: str, parts: list[Measured]) -> Measured:
    """Several phases, one after the other."""
    numbers = zip(*((part.images, part.phase, part.bare) for part in parts), strict=True)
    return Measured(name, *(sum(column) for column in numbers))


def main() -> None:
    """Measure and print."""
    gpus = device.backend.gpus()
    options = _options(bool(gpus))
    if keras.backend.backend() != "tensorflow":
        sys.exit("required: KERAS_BACKEND=tensorflow; its compiled step is the reference")
    device.prepare(os.cpu_count() or 1, seed=0)
    if not gpus:
        print("No accelerator is present: this is the CPU, and says little about GPUs.")
    settings = Model(backbone=options.backbone, weights="none", dropout=0.2)
    prepared = PixelSettings(size=[SIZE, SIZE], color="grey", window=None)
    model = build(settings, prepared, Task(kind="binary", classes=["a", "b"]))
    with tempfile.TemporaryDirectory() as state, computing(model, options.precision):
        os.environ["MEDLOOP_STATE"] = state
        limit = options.limit // options.batch_size * options.batch_size
        found = measure(model, options.backbone, make_data(limit), options.batch_size)
    head = summed("head phase", found[:2])
    whole = summed("whole training", found[:3])
    print(f"{options.backbone}, {SIZE} x {SIZE}, {limit} images, batches of {options.batch_size}")
    print(f"{'':26} {'images/s':>9} {'of bare':>9}")
    print(*found, head, whole, sep="\n")
    fed = found[-1].share / FED_GOAL
    phases = (found[0], head, whole, found[2])  # stored heads outrun Keras's steps, so not alone
    report("gpu", min(fed, *(part.share / GOAL for part in phases)), 1.0)


def _feed(examples: Examples) -> Stored:
    return Stored(lambda _: examples)


def _plan(epochs: int, batch_size: int) -> Plan:
    phase = FineTune(
        cut_layer="auto",
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=1e-5,
        patience=epochs,
    )
    return Plan("binary", phase, np.ones((2, 1), np.float32), seed=0)


def _resident(batch: Any) -> Any:
    """The arrays of a batch as tensors on the device."""
    return keras.tree.map_structure(keras.ops.convert_to_tensor, batch)


def _options(accelerated: bool) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    backbone = "ResNet50" if accelerated else "EfficientNetLite0"
    parser.add_argument("--limit", type=int, default=4096 if accelerated else 256, help="images")
    parser.add_argument("--backbone", default=backbone, help=f"default here: {backbone}")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--precision", default="auto", help="as train.precision")
    return parser.parse_args()


if __name__ == "__main__":
    main()
