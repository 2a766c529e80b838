"""A search by several processes against the same search by one.

    python -m benchmarks.tune_workers [--workers 2] [--limit 1000] [--trials 20] [--epochs 50]

On images as in `benchmarks.tune`, whose pass through the frozen part is made before. The start of
the processes counts. Which trials are pruned differs a little between the two.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.result import report
from benchmarks.tune import here, workspace
from tasks.common.params.whole import Params

GOAL = 1.2


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    options = _options(arguments)
    with workspace(options.trials, options.epochs) as settings:
        here(_changed(settings, trials=1), options.limit)  # the pass through the frozen part
        seconds = [
            here(_changed(settings, trials=options.trials, seed=1, workers=count), options.limit)[0]
            for count in (1, options.workers)
        ]
    print(f"{options.trials} trials of {options.epochs} epochs, {options.limit:,} training images")
    print(f"one process {seconds[0]:.1f} s, {options.workers} processes {seconds[1]:.1f} s")
    report("tune_workers", seconds[0] / seconds[1], GOAL)


def _changed(settings: Params, **values: int) -> Params:
    return settings.model_copy(update={"tune": settings.tune.model_copy(update=values)})


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune_workers")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, default=1000, help="train images")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=50)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
