"""What each option of training gains on val, against the spread over seeds.

    python -m benchmarks.ablation DATA ... [--phases train] [--seeds 3] [--picture FILE]

Each DATA is what `pull.path` takes, or an .npz of MedMNIST's. With every seed the head phase runs
with the defaults and with one option at a time, and so does the fine-tune phase, always from the
head of the defaults. A row per run is added to the table; what stands there is not run again.

A gain is the mean over the seeds of what val AUROC an option wins over the defaults with the same
seed, in units of the spread: the larger of the two standard deviations over the seeds. The figure
is the largest gain that an option has on every set; at most 2, the defaults are well chosen.
Beside it stands the AUROC on the val images made worse in all the ways of `evaluate`, the mean over
these. The picture shows what each seed won on either.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from benchmarks.result import report
from benchmarks.time_to_quality import ROOT, prepare, run_stage
from tasks.common import editing, paths
from tasks.common.params.augment import Augment
from tasks.common.params.loading import load
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.whole import Params
from tasks.imaging.perturbation import CHANGES, Perturbed
from tasks.networks import data, device, recipe, test_time
from tasks.networks.architecture import build
from tasks.networks.fit import Fitted
from tasks.networks.measuring import measured
from tasks.networks.scoring import score
from tasks.pictures.canvas import INK, PALETTE, drawn
from tasks.statistics.areas import auroc

TABLE = Path("benchmarks/ablation.csv")
HOME = Path(tempfile.gettempdir()) / "medloop_ablation"
PREPARED = Path("prepared.yaml")  # the parameters that every run begins with
KEYS = ["set", "phase", "option", "seed"]
FIGURES = ["val_auroc", "val_loss", "val_accuracy", "epochs", "changed_auroc"]
FIGURES += ["val_calibrated_loss"]  # of the fine-tune phase
DEFAULTS, GOAL, FIRST_SEED = "defaults", 2.0, 17
PHASES = {
    "train": "Head phase",
    "fine_tune_before": "Fine-tune phase as it was",  # of five blocks, five epochs: rows alone
    "fine_tune": "Fine-tune phase",
}
NOTEBOOK = {
    "fine_tune.learning_rate": 1.0e-5,
    "fine_tune.schedule": None,
    "fine_tune.label_smoothing": 0.0,
    "fine_tune.average": 1.0,
}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "train": [
        {"train.learning_rate": 1.0e-3},
        {"train.learning_rate": 2.0e-2},
        {"train.schedule": "cosine"},
        {"train.schedule": "plateau"},
        {"train.batch_normalisation": True},
        {"train.l1": 1.0e-4},
        {"train.l2": 1.0e-3},
        {"train.label_smoothing": 0.1},
        {"model.dropout": 0.0},
        {"model.dropout": 0.5},
        {"augment.preset": "none"},
        {"augment.preset": "tutorial"},
        {"augment.views": 3},
        {"model.pool": "stages"},
    ],
    "fine_tune": [
        {"fine_tune.cut_layer": "block11_expand_conv", "fine_tune.epochs": 5},
        {"fine_tune.average": 0.7},
        {"fine_tune.average": 1.0},
        {"model.pool": "stages"},
        NOTEBOOK,
        {"fine_tune.epochs": 12, "fine_tune.patience": 12},
        {"augment.views": 3},
        {"fine_tune.learning_rate": 1.0e-4},
        {"fine_tune.learning_rate": 1.0e-3},
        {"fine_tune.label_smoothing": 0.0},
        {"fine_tune.schedule": None},
        {"model.backbone": "EfficientNetLite2", "augment.test_views": 4},
        {"augment.test_views": 4},
    ],
}


class Laboratory:
    """One set, prepared in the current folder, and the heads that its fine-tuning starts from."""

    def __init__(self, source: Path, limit: int) -> None:
        if not PREPARED.exists():
            paths.PARAMS.write_bytes((ROOT / paths.PARAMS).read_bytes())
            prepare(source, limit)
            shutil.copy(paths.PARAMS, PREPARED)
        shutil.copy(PREPARED, paths.PARAMS)  # a run that was killed has left its own
        self._pixels: PixelSettings | None = None
        self._augmented: Augment | None = None
        self._heads: dict[tuple[Model, int], Any] = {}  # network and seed -> weights

    def run(self, phase: str, changes: dict[str, Any], seed: int) -> dict[str, float]:
        """The figures of a phase with some settings changed, at its best epoch."""
        model, fitted = self.train(phase, changes, seed)
        judges = test_time.averaged(model, test_time.read())
        found = on_val(judges) | {"changed_auroc": on_changed(judges)}
        found["epochs"] = len(fitted.epochs)
        return {name: round(found[name], 6) for name in FIGURES}

    def train(self, phase: str, changes: dict[str, Any], seed: int) -> tuple[keras.Model, Fitted]:
        """Run a phase with some settings changed; the fine-tune phase begins with the head of the
        defaults with the same seed.
        """
        shutil.copy(PREPARED, paths.PARAMS)
        editing.set_values(paths.PARAMS, changes | {"train.seed": seed})
        settings = load(Params)
        if settings.preprocess != self._pixels:  # the split stays
            run_stage("preprocess")
            self._pixels, self._augmented = settings.preprocess, None
        if settings.augment != self._augmented:
            run_stage("augment")
            self._augmented = settings.augment
        keras.utils.set_random_seed(seed)
        model = build(settings.model, settings.preprocess, settings.task)
        given = recipe.of_data(settings.task, settings.train, data.read(settings.task))
        fitted = self._fit(phase, model, settings, given)
        fitted.checkpoint.remove()
        return model, fitted

    def _fit(
        self, phase: str, model: keras.Model, settings: Params, given: recipe.Recipe
    ) -> Fitted:
        backbone = settings.model.backbone
        if phase == "train":
            return recipe.train_head(model, backbone, given, lambda *_: None)
        key = settings.model, settings.train.seed
        if key not in self._heads:
            recipe.train_head(model, backbone, given, lambda *_: None).checkpoint.remove()
            self._heads[key] = model.get_weights()
        model.set_weights(self._heads[key])
        return recipe.fine_tune(model, backbone, settings.fine_tune, given, lambda *_: None)


def on_val(model: keras.Model) -> dict[str, float]:
    """What `measured` finds of val in the current folder, under the names of a history."""
    settings = load(Params)
    images = data.read(settings.task)
    weights = recipe.of_data(settings.task, settings.train, images).weights
    scores = score(model, images.val.images)
    found = measured(settings.task.kind, images.val.targets, scores, weights)
    return {f"val_{name}": value for name, value in found.items()}


def on_changed(model: keras.Model) -> float:
    """The AUROC on the val images of the current folder after each change of `CHANGES`, their mean
    over changes and outputs.
    """
    settings = load(Params)
    val = data.read(settings.task).val
    scores = score(model, Perturbed(val.images, list(CHANGES.values())))
    each = scores.astype(float).reshape(len(CHANGES), *val.targets.shape)
    found = [
        auroc(targets, column)
        for rows in each
        for targets, column in zip(val.targets.T.astype(float), rows.T, strict=True)
    ]
    return float(np.mean(found))


def name_of(changes: dict[str, Any]) -> str:
    """An option in words, without the section."""
    said = [
        f"{key.partition('.')[2]} {value:g}"
        if isinstance(value, float)
        else f"{key.partition('.')[2]} {value}"
        for key, value in changes.items()
    ]
    return ", ".join(said) or DEFAULTS


def planned(phases: Sequence[str], seeds: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Phase, changes and seed of each run."""
    for phase in phases:
        for changes in [{}, *OPTIONS[phase]]:
            yield from ((phase, changes, FIRST_SEED + k) for k in range(seeds))


def won(table: pd.DataFrame, figure: str) -> pd.Series:
    """What each row of an option has of `figure` beyond the defaults with the same set, phase and
    seed; not a number without these.
    """
    base = table[table["option"] == DEFAULTS].set_index(["set", "phase", "seed"])[figure]
    same = pd.MultiIndex.from_frame(table[["set", "phase", "seed"]])
    return table[figure].sub(base.reindex(same).to_numpy())


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """Set, phase and option to means over the seeds, the AUROC won over the defaults with the same
    seed, and that in units of the spread.
    """
    rows = []
    table = table.assign(won=won(table, "val_auroc"))
    for (name, phase), group in table.groupby(["set", "phase"], sort=False):
        base = group[group["option"] == DEFAULTS]["val_auroc"].std()
        for option, runs in group.groupby("option", sort=False):
            means = runs[[*(name for name in FIGURES if name != "epochs"), "won"]].mean()
            # One seed alone has no spread: not a number, and so no gain.
            spread = np.maximum(base, runs["val_auroc"].std())
            said = {"set": name, "phase": phase, "option": option, **means, "spread": spread}
            rows.append(said | {"gain": means["won"] / max(spread, 1e-6)})
    return pd.DataFrame(rows)


def draw(path: Path, table: pd.DataFrame) -> None:
    """What each seed won by each option, a row per phase: AUROC on val, and on val made worse."""
    phases = {str(phase): rows for phase, rows in table.groupby("phase", sort=False)}
    lengths = [rows["option"].nunique() for rows in phases.values()]
    colors = dict(zip(table["set"].unique(), PALETTE, strict=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    with drawn(path, 9.6, 0.8 * (1 + len(phases)) + 0.2 * sum(lengths)) as figure:
        ratios = {"height_ratios": lengths}
        grid = figure.subplots(len(phases), 2, squeeze=False, gridspec_kw=ratios)
        for pair, (phase, rows) in zip(grid, phases.items(), strict=True):
            _panel(pair[0], rows, "val_auroc", colors)
            _panel(pair[1], rows, "changed_auroc", colors)
            pair[0].set_title(f"{PHASES[phase]}: val")
            pair[1].set_title("val made worse")
            pair[1].tick_params(labelleft=False)
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names))


def _panel(axes: Axes, rows: pd.DataFrame, of: str, colors: dict[str, str]) -> None:
    """A line per option, with a dot per seed in the colour of the set; hidden without `of`."""
    found = rows.assign(won=won(rows, of))[rows["option"] != DEFAULTS]
    axes.set_visible(bool(found["won"].notna().any()))
    options = list(found["option"].unique())
    for k, (name, color) in enumerate(colors.items()):
        own = found[found["set"] == name]
        aside = 0.3 * (k - (len(colors) - 1) / 2)
        places = [options.index(option) + aside for option in own["option"]]
        axes.plot(own["won"], places, ".", color=color, label=name)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(options)), [textwrap.fill(option, 36) for option in options])
    axes.set(ylim=(len(options) - 0.5, -0.5), xlabel="AUROC won")


def everywhere(found: pd.DataFrame) -> float:
    """The largest gain that an option has on every set; one that lacks a set does not count."""
    tried = found[found["option"] != DEFAULTS].groupby(["phase", "option"])["gain"]
    return float(tried.min()[tried.count() == found["set"].nunique()].max())


@contextmanager
def laboratory_of(source: Path, workspace: Path, limit: int) -> Iterator[Laboratory]:
    """A set, prepared in a folder of the workspace, where what it stores is found again."""
    home = workspace.resolve() / source.stem
    home.mkdir(parents=True, exist_ok=True)
    with mock.patch.dict(os.environ, {"MEDLOOP_STATE": str(home / "state")}), chdir(home):
        yield Laboratory(source, limit)


def fill(source: Path, table: Path, options: argparse.Namespace) -> None:
    """Run what the table lacks of a set."""
    with laboratory_of(source, options.workspace, options.limit) as laboratory:
        for phase, changes, seed in planned(options.phases, options.seeds):
            key = [source.stem, phase, name_of(changes), seed]
            there = read(table)
            if (there[KEYS] == key).all(axis=1).any():
                continue
            row = dict(zip(KEYS, key, strict=True)) | laboratory.run(phase, changes, seed)
            pd.concat([there, pd.DataFrame([row])]).to_csv(table, index=False)


def read(table: Path) -> pd.DataFrame:
    """The rows so far."""
    return pd.read_csv(table) if table.exists() else pd.DataFrame(columns=KEYS + FIGURES)


def main(arguments: Sequence[str]) -> None:
    """Fill the table and print what it says."""
    options = _options(arguments)
    table, sources = options.table.resolve(), [source.resolve() for source in options.data]
    device.prepare(load(Params, ROOT / paths.PARAMS).train.threads, seed=0)
    for source in sources:
        fill(source, table, options)
    found = gains(read(table))
    draw(options.picture, read(table))
    print(found.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    report("ablation", everywhere(found), GOAL, at_most=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation")
    parser.add_argument("data", type=Path, nargs="*", help="none: print what the table says")
    parser.add_argument("--limit", type=int, default=1500, help="train and val images")
    parser.add_argument("--phases", nargs="+", choices=list(OPTIONS), default=list(OPTIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--workspace", type=Path, default=HOME, help="keeps what is prepared")
    picture = Path("reports/ablation.png")
    parser.add_argument("--picture", type=Path, default=picture, help=f"default: {picture}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
