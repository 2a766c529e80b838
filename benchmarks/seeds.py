"""How much of a difference between two models is chance, beside what the gate can tell.

    python -m benchmarks.seeds DATA [--limit 1500] [--seeds 5] [--set key=value ...]

DATA as in `benchmarks.ablation`. Both phases run from stored activations with each seed, with the
settings of params.yaml but for those that are set. AUROC, and accuracy at the operating point and
at 0.5 of both on val and test, their means and standard deviations; operating point and
recalibration are fitted on val, as by the stages, and nothing is chosen by what stands there. With
three classes or more it is the mean AUROC, and the accuracy of the likeliest class. The figure is
the standard deviation of the AUROC on test of what the fine-tune phase leaves, over half of the
gate's 95% interval between two such models: at most 1, chance alone rarely looks like a difference.
The workspace keeps the scores: delete it after a change of code or settings.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd

from benchmarks.ablation import FIRST_SEED, HOME, Laboratory, laboratory_of, name_of
from benchmarks.result import report
from benchmarks.time_to_quality import ROOT
from tasks.common import documents, editing, labels, manifest, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.imaging.images import Images
from tasks.imaging.pack import open_pack
from tasks.networks import device, losses, test_time
from tasks.networks.scoring import score
from tasks.statistics import Array, recalibration, thresholds
from tasks.statistics.areas import auroc
from tasks.statistics.paired_difference import paired_auroc_difference
from tasks.statistics.recalibration import Recalibration

CONFIDENCE = 0.95


class Split:
    """A split of the set in the current folder."""

    def __init__(self, name: str) -> None:
        rows = manifest.of_split(manifest.read_manifest(), name)
        task = load(Params).task
        self.kind, self.groups = task.kind, rows["group"].to_numpy()
        self.targets = labels.encode(rows["label"], task.kind, task.names)
        self._rows = rows["row"].to_numpy(np.int64)

    def scores(self, model: keras.Model) -> Array:
        """`(N, K)`, of the pixels that the pack has now."""
        return score(model, Images(open_pack(), self._rows)).astype(float)

    def figures(self, scores: Array, fitted: Fitted | None) -> dict[str, float]:
        """AUROC, and accuracy at the operating point and where recalibrated scores are 0.5."""
        there = self.targets > 0
        each = [auroc(y.astype(float), s) for y, s in zip(there.T, scores.T, strict=True)]
        found = {"AUROC": float(np.mean(each))}
        if fitted is None:
            likeliest = scores.argmax(axis=1) == self.targets.argmax(axis=1)
            return found | {"accuracy": float(likeliest.mean())}
        calibrated = recalibration.apply(self.kind, scores, fitted.recalibration)
        return found | {
            "accuracy": float(((scores >= fitted.threshold) == there).mean()),
            "at 0.5": float(((calibrated > 0.5) == there).mean()),
        }


class Fitted(NamedTuple):
    """What is fitted on val of a binary task."""

    threshold: float
    recalibration: Recalibration


def fit(val: Split, scores: Array, even: float) -> Fitted | None:
    """By the scores `(N, K)` of val, as the stage evaluate does by the rule `youden`; `even` as
    `losses.even` has it. None where there are three classes or more.
    """
    if val.kind != "binary":
        return None
    targets = val.targets.astype(float)
    at = thresholds.threshold(targets[:, 0], scores[:, 0], "youden", 0.0, even)
    return Fitted(at, recalibration.fit("binary", targets, scores))


def measure(
    laboratory: Laboratory, seeds: int, changes: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """A row per seed, phase and split, with the scores; what a killed run has left is taken up."""
    splits = {name: Split(name) for name in ("val", "test")}
    balanced = changes.get("train.class_weights", load(Params).train.class_weights)
    even = losses.even(Split("train").targets, balanced)[0]
    for seed, phase in product(range(FIRST_SEED, FIRST_SEED + seeds), ("train", "fine_tune")):
        file = Path(f"scores_{name_of(changes)}_{phase}_{seed}.npz")
        if not file.exists():
            model, _ = laboratory.train(phase, changes, seed)
            judges = test_time.averaged(model, test_time.read())
            found = {name: split.scores(judges) for name, split in splits.items()}
            documents.replace(file, partial(_save, scores=found))
        with np.load(file) as stored:
            fitted = fit(splits["val"], stored["val"], even)
            for name, split in splits.items():
                said = {"seed": seed, "phase": phase, "split": name, "scores": stored[name]}
                yield said | split.figures(stored[name], fitted)


def _save(draft: Path, scores: dict[str, Any]) -> None:
    with draft.open("wb") as file:
        np.savez(file, **scores)


def told_apart(found: pd.DataFrame) -> float:
    """Half of the gate's interval between models of two seeds, the median over all pairs."""
    test, scores = Split("test"), list(found["scores"])
    halves = []
    for k, one in enumerate(scores):
        for other in scores[:k]:
            interval = paired_auroc_difference(test.targets, other, one, test.groups, CONFIDENCE)
            halves.append((interval.high - interval.low) / 2)
    return statistics.median(halves)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seeds")
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, default=1500, help="train and val images")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="key=value", dest="changes")
    parser.add_argument("--workspace", type=Path, default=HOME, help="keeps what is prepared")
    options = parser.parse_args(arguments)
    changes = dict(map(editing.parse_setting, options.changes))
    device.prepare(load(Params, ROOT / paths.PARAMS).train.threads, seed=0)
    with laboratory_of(options.data.resolve(), options.workspace, options.limit) as laboratory:
        found = pd.DataFrame(measure(laboratory, options.seeds, changes))
        figures = [name for name in ("AUROC", "accuracy", "at 0.5") if name in found]
        table = found.groupby(["phase", "split"], sort=False)[figures]
        print(table.agg(["mean", "std", "min", "max"]).to_string(float_format="{:.4f}".format))
        if options.seeds == 1:
            return  # one seed alone has no spread
        kept = found[(found["phase"] == "fine_tune") & (found["split"] == "test")]
        half, spread = told_apart(kept), float(kept["AUROC"].std())
    print(f"AUROC on test: standard deviation {spread:.4f}, half of the gate's interval {half:.4f}")
    report("seeds", spread / half, 1.0, at_most=True)


if __name__ == "__main__":
    main(sys.argv[1:])
