"""A search for settings against plain Optuna around the same training without stored features.

    python -m benchmarks.tune [--limit 1000] [--trials 3] [--epochs 10]

On images of 224 pixels of two classes, noise of two brightnesses, which does not change the time.
Here `networks.tuning.Search` runs trials of the head phase, its one pass through the frozen part
included. There Optuna's own study runs the same trials, with the images passing the frozen part in
every step. Both compile in every trial. More trials and more epochs make the ratio larger: the
defaults keep the reference short.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from unittest import mock

import optuna

from benchmarks.gpu import make_data, with_val
from benchmarks.result import report
from benchmarks.time_to_quality import ROOT
from tasks.common import editing, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks import device, tuning
from tasks.networks.passes import Data

GOAL = 5.0


def here(settings: Params, images: Data) -> tuple[float, list[tuning.Trial]]:
    """Seconds, and the trials."""
    begun = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        trials = list(tuning.Search(settings, images).run())
    return time.perf_counter() - begun, trials


def there(settings: Params, images: Data, trials: Sequence[tuning.Trial]) -> float:
    """Seconds of the same trials on the fly."""
    on_the_fly = replace(images, views=replace(images.views, count=0))
    study = optuna.create_study()
    for trial in trials:
        study.enqueue_trial(trial.values)

    def objective(trial: optuna.Trial) -> float:
        values: dict[str, float] = {
            name: trial.suggest_float(name, 0, 1) for name in map(str, settings.tune.search)
        }
        asked = tuning.changed(settings, values)
        return tuning.train(asked, on_the_fly, lambda *_: None)["val_loss"]

    begun = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        study.optimize(objective, n_trials=len(trials))
    return time.perf_counter() - begun


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    options = _options(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, {"MEDLOOP_STATE": f"{folder}/state"}),
        chdir(folder),
    ):
        settings = _settings(options)
        device.prepare(settings.train.threads, settings.train.seed)
        images = with_val(make_data(options.limit, settings.augment.views))
        ours, trials = here(settings, images)
        plain = there(settings, images, trials)
    print(f"{options.trials} trials of {options.epochs} epochs, {options.limit:,} training images")
    print(f"here {ours:.1f} s, plain Optuna without stored features {plain:.1f} s")
    report("tune", plain / ours, GOAL)


def _settings(options: argparse.Namespace) -> Params:
    """Those of the project with the changes asked for, and files that a search is known by."""
    paths.PARAMS.write_bytes((ROOT / paths.PARAMS).read_bytes())
    epochs = dict.fromkeys(("train.epochs", "train.patience"), options.epochs)
    editing.set_values(paths.PARAMS, {"tune.trials": options.trials} | epochs)
    for file in (paths.MANIFEST, paths.PACK, paths.VIEWS):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return load(Params)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune")
    parser.add_argument("--limit", type=int, default=1000, help="train images")
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
