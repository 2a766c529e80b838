"""A search for settings against plain Optuna around the same training without stored features.

    python -m benchmarks.tune [--limit 1000] [--trials 3] [--epochs 10]

On images of 224 pixels of two classes, noise of two brightnesses, which does not change the time.
Here `networks.tuning.Search` runs trials of the head phase, its one pass through the frozen part
included. There Optuna's own study runs the same trials, with the images passing the frozen part in
every step. Both build the network once and compile in every trial. More trials and more epochs make
the ratio larger: the defaults keep the reference short.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stdout
from functools import partial
from unittest import mock

import optuna

from benchmarks.gpu import make_data, with_val
from benchmarks.result import report
from benchmarks.time_to_quality import ROOT
from tasks.common import editing, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks import device
from tasks.networks.fit import CHOSEN_BY
from tasks.networks.passes import Data
from tasks.networks.trials import Bench, Trial
from tasks.networks.tuning import Search

GOAL = 5.0


def made(limit: int, views: int) -> Data:
    """So many images in so many views."""
    return with_val(make_data(limit, views))


def here(settings: Params, limit: int) -> tuple[float, list[Trial]]:
    """Seconds, and the trials."""
    read = partial(made, limit, settings.augment.views)
    begun = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        trials = list(Search(settings, read).run())
    return time.perf_counter() - begun, trials


def there(settings: Params, limit: int, trials: Sequence[Trial]) -> float:
    """Seconds of the same trials on the fly."""
    on_the_fly = settings.augment.model_copy(update={"views": 0})
    bench = Bench(settings.model_copy(update={"augment": on_the_fly}), made(limit, 0))
    study = optuna.create_study()
    for trial in trials:
        study.enqueue_trial(trial.values)

    def objective(trial: optuna.Trial) -> float:
        values = {name: trial.suggest_float(name, 0, 1) for name in map(str, settings.tune.search)}
        return bench.train(values, lambda *_: None)[CHOSEN_BY]

    begun = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        study.optimize(objective, n_trials=len(trials))
    return time.perf_counter() - begun


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    options = _options(arguments)
    with workspace(options.trials, options.epochs) as settings:
        ours, trials = here(settings, options.limit)
        plain = there(settings, options.limit, trials)
    print(f"{options.trials} trials of {options.epochs} epochs, {options.limit:,} training images")
    print(f"here {ours:.1f} s, plain Optuna without stored features {plain:.1f} s")
    report("tune", plain / ours, GOAL)


@contextmanager
def workspace(trials: int, epochs: int) -> Iterator[Params]:
    """The project's settings but for trials and epochs, in a folder for a while that has the files
    that a search is known by.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, {"MEDLOOP_STATE": f"{folder}/state"}),
        chdir(folder),
    ):
        paths.PARAMS.write_bytes((ROOT / paths.PARAMS).read_bytes())
        asked = dict.fromkeys(("train.epochs", "train.patience"), epochs)
        editing.set_values(paths.PARAMS, {"tune.trials": trials} | asked)
        for file in (paths.MANIFEST, paths.PACK):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        settings = load(Params)
        device.prepare(settings.train.threads, settings.train.seed)
        yield settings


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune")
    parser.add_argument("--limit", type=int, default=1000, help="train images")
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
