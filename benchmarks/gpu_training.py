"""Both phases of training from the start of a process: with nothing compiled yet, and once more.

    python -m benchmarks.gpu_training [--limit 4659] [--backbone EfficientNetLite0]

Each run is a process of its own that does the work of the stages train and fine_tune with the
settings of params.yaml, all their epochs, on grey images of two classes, which are noise of two
brightnesses. The weights are ImageNet's, for from random ones nothing may be learnt:
those of other backbones than the default have to be there already. The second run finds what the
first has compiled (JAX's persistent cache), and nothing else. `start` lasts until the data are
there; what JAX needs to compile, or to fetch what it has kept, and what passes take is part of the
phases. `computing` is these without compiling, with what Python does meanwhile. It needs the wheels
of `benchmarks.gpu`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.gpu import SIZE, make_data, with_val
from benchmarks.result import report
from tasks.common import paths
from tasks.common.params.fine_tune import FineTune
from tasks.common.params.loading import load
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.common.params.whole import Params
from tasks.networks import device, passes, recipe
from tasks.networks.architecture import build

GOAL = 15.0  # seconds of the second run
Phase = TypeVar("Phase", Train, FineTune)
Seconds = dict[str, float]
PARTS = ("start", "head", "fine-tune", "total", "passes", "compiling", "computing")
COMPILING = "/jax/core/compile/backend_compile_duration"  # an event


def main() -> None:
    """Measure and print."""
    options = _options()
    if options.started:
        print(json.dumps(train(options)))
        return
    with tempfile.TemporaryDirectory() as state:
        first = in_a_process(options, Path(state))
        shutil.rmtree(Path(state, "prefix"), ignore_errors=True)
        second = in_a_process(options, Path(state))
    size = options.size
    print(f"{options.backbone}, {size} x {size}, {options.limit} train images, {device.NAME}")
    print(f"{'seconds':14}", *(f"{part:>10}" for part in PARTS))
    for name, seconds in (("first run", first), ("second run", second)):
        print(f"{name:14}", *(f"{seconds[part]:10.1f}" for part in PARTS))
    report("gpu_training", second["total"], GOAL, at_most=True)


def train(options: argparse.Namespace) -> Seconds:
    """Do it once, in a process that was started at `started`; the seconds of `PARTS`."""
    backbone, size, started = options.backbone, options.size, options.started
    seconds: Seconds = dict.fromkeys(PARTS, 0.0)
    settings = load(Params, Path(__file__).resolve().parent.parent / paths.PARAMS)
    head, tuned = _without_patience(settings.train), _without_patience(settings.fine_tune)
    if options.epochs:
        tuned = tuned.model_copy(update={"epochs": options.epochs})
    device.prepare(head.threads, head.seed)
    task = Task(kind="binary", classes=["a", "b"])
    network = Model(backbone=backbone, weights="imagenet", dropout=settings.model.dropout)
    model = build(network, PixelSettings(size=[size, size], color="grey", window=None), task)
    data = with_val(make_data(options.limit, settings.augment.views, size))
    given = recipe.of_data(task, head, data)
    passes.feed = _timed(passes.feed, seconds, "passes")
    seconds["start"] = time.time() - started
    _count_compiling(seconds)
    with _part(seconds, "head"):
        recipe.train_head(model, backbone, given, lambda *_: None).checkpoint.remove()
    with _part(seconds, "fine-tune"):
        recipe.fine_tune(model, backbone, tuned, given, lambda *_: None).checkpoint.remove()
    seconds["total"] = time.time() - started
    seconds["computing"] = seconds["head"] + seconds["fine-tune"] - seconds["compiling"]
    return seconds


def in_a_process(options: argparse.Namespace, state: Path) -> Seconds:
    """The seconds of a run of its own."""
    command = [sys.executable, "-m", "benchmarks.gpu_training", "--backbone", options.backbone]
    command += ["--limit", str(options.limit), "--size", str(options.size)]
    command += ["--epochs", str(options.epochs), "--started", str(time.time())]
    environment = {**os.environ, "MEDLOOP_STATE": str(state)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    print(*done.stdout.splitlines()[:-1], sep="\n", flush=True)
    found: Seconds = json.loads(done.stdout.splitlines()[-1])
    return found


def _without_patience(phase: Phase) -> Phase:
    return phase.model_copy(update={"patience": sys.maxsize})


@contextmanager
def _part(seconds: Seconds, name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] += time.perf_counter() - start


def _timed(function: Callable[..., Any], seconds: Seconds, name: str) -> Callable[..., Any]:
    @wraps(function)
    def timed(*arguments: Any) -> Any:
        with _part(seconds, name):
            return function(*arguments)

    return timed


def _count_compiling(seconds: Seconds) -> None:
    if device.NAME != "jax":
        return
    import jax

    def count(event: str, duration: float, **_: object) -> None:
        seconds["compiling"] += duration * (event == COMPILING)

    jax.monitoring.register_event_duration_secs_listener(count)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit", type=int, default=4659, help="train images")
    parser.add_argument("--backbone", default="EfficientNetLite0")
    parser.add_argument("--size", type=int, default=SIZE, help="height and width in pixels")
    parser.add_argument(
        "--epochs", type=int, default=0, help="of fine-tuning; default: as params.yaml says"
    )
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
