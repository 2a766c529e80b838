"""The head phase against the bare forward passes of its views.

    python -m benchmarks.head_phase [--limit 4000]

The head phase is the work of the stage train with the settings of params.yaml, all its epochs, on
grey images of 224 pixels of two classes: it draws the views, runs them and the val images through
the frozen part, stores what comes out and trains on it. The reference runs the compiled backbone
alone, as Keras has it and not folded, on as many images: one batch that lies on the device, again
and again. Both are measured in turn; medians. The phase compiles its parts each time, the reference
before the clock runs: that weighs less the more images there are. The images are noise of two
brightnesses and the weights random, for neither changes the time.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import keras

from benchmarks.gpu import SIZE, VAL, compare, make_data, with_val
from benchmarks.result import report
from tasks.common import paths
from tasks.common.params.loading import load
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.common.params.whole import Params
from tasks.networks import device, recipe
from tasks.networks.architecture import DROPOUT, build
from tasks.networks.layers import cut
from tasks.networks.precision import computing
from tasks.networks.prediction import BATCH_SIZE, JIT

GOAL = 1.2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.head_phase")
    parser.add_argument("--limit", type=int, default=4000, help="train images")
    limit = max(parser.parse_args().limit, VAL)
    if keras.backend.backend() != "tensorflow":
        sys.exit("required: KERAS_BACKEND=tensorflow; its compiled function is the reference")
    settings = load(Params, Path(__file__).resolve().parent.parent / paths.PARAMS)
    if settings.augment.views == 0:
        sys.exit("required: augment.views of 1 or more; received: 0, which stores nothing")
    phase, network = settings.train, settings.model
    device.prepare(phase.threads, phase.seed)
    prepared = PixelSettings(size=[SIZE, SIZE], color="grey", window=None)
    task = Task(kind="binary", classes=["a", "b"])
    model = build(network.model_copy(update={"weights": "none"}), prepared, task)
    data = with_val(make_data(limit, settings.augment.views))
    all_epochs = phase.model_copy(update={"patience": phase.epochs})
    start = model.get_weights()
    given = recipe.of_data(task, all_epochs, data)

    def head_phase(_: int) -> None:
        with tempfile.TemporaryDirectory() as state:
            os.environ["MEDLOOP_STATE"] = state
            model.set_weights(start)
            with redirect_stdout(io.StringIO()):
                recipe.train_head(model, network.backbone, given, lambda *_: None)

    part, _ = cut(model, DROPOUT)
    part.jit_compile = JIT
    batch = keras.ops.convert_to_tensor(data.train.images[:BATCH_SIZE])
    images = data.views.shown * len(data.train.images) + len(data.val.images)

    def bare(_: int) -> None:
        part.make_predict_function()
        for _ in range(-(-images // BATCH_SIZE)):
            outputs = part.predict_function([(batch,)])
        keras.ops.convert_to_numpy(outputs)  # waits for the device

    with computing(model, phase.precision):
        found = compare("head phase", images, head_phase, bare)
    print(
        f"{network.backbone}, {images:,} views of {settings.preprocess.size}, {phase.epochs} epochs"
    )
    print(f"head phase {found.phase:.1f} s, bare forward passes {found.bare:.1f} s")
    report("head_phase", found.phase / found.bare, GOAL, at_most=True)


if __name__ == "__main__":
    main()
