"""Charts of one evaluation and of the training history.

What has several panels, as one per class, becomes a picture per panel: a telephone shows them below
each other, and each as large as its letters need.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tasks.pictures.canvas import BLUE, FAINT, INK, ORANGE, PALETTE, drawn
from tasks.statistics import Array, curves
from tasks.statistics.curves import Confusion, Reliability
from tasks.statistics.decision_curve import THRESHOLDS, DecisionCurve
from tasks.statistics.metrics import Sample

SQUARE, FLAT = (4.6, 4.4), (4.6, 3.2)  # width and height in inches
ENDS = ("value", "low", "high")
LINES = {  # column of a history -> what it is called, and its colour
    "{}": ("train", BLUE),
    "val_{}": ("val", ORANGE),
    "val_calibrated_{}": ("val, calibrated", PALETTE[2]),
}
WORSE = {  # what is done to images -> what its strengths are
    "noise": "noise, standard deviation of 255",
    "contrast": "contrast, share that is left",
    "jpeg": "JPEG, quality of 100",
}


def numbered(path: Path, count: int) -> list[Path]:
    """The files of so many panels: `path` for one, else `scores_1.png`, `scores_2.png`."""
    if count == 1:
        return [path]
    return [path.with_stem(f"{path.stem}_{k + 1}") for k in range(count)]


def files(path: Path) -> list[Path]:
    """The files of `numbered` that are there, in their order."""
    if path.exists():
        return [path]
    several = path.parent.glob(f"{path.stem}_*{path.suffix}")
    return sorted(several, key=lambda file: int(file.stem.rpartition("_")[2]))


def _panels(path: Path, count: int, width: float, height: float) -> Iterator[Axes]:
    for file in numbered(path, count):
        with drawn(file, width, height) as figure:
            yield figure.subplots()


def roc(path: Path, sample: Sample, classes: Sequence[str], areas: Sequence[float]) -> None:
    """ROC curve of each output, with its area; a cross marks where the predictions stand.

    Args:
        path: PNG file.
        sample: the scored images.
        classes: the class behind each output.
        areas: AUROC of each output.
    """
    with drawn(path, *SQUARE) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 4)))
        for k, (name, area) in enumerate(zip(classes, areas, strict=True)):
            color = PALETTE[k % len(PALETTE)]
            curve = curves.roc(sample.targets[:, k], sample.scores[:, k])
            axes.plot(*curve, color=color, linewidth=1.8, label=f"{name}  {area:.3f}")
            x, y = _operating_point(sample.targets[:, k], sample.predictions[:, k])
            axes.plot([x], [y], "+", color=color, markersize=13, markeredgewidth=2, clip_on=False)
        axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC curve, test")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.legend(title="AUROC  (+ operating point)", loc="lower right")


def _operating_point(targets: Array, predictions: Array) -> tuple[float, float]:
    """False and true positive rate of the predictions."""
    return float(predictions[targets == 0].mean()), float(predictions[targets > 0].mean())


def confusion(path: Path, matrices: Sequence[Confusion]) -> None:
    """Confusion matrices: the share of each row by colour, the count in figures."""
    side = max(3.8, 0.62 * len(matrices[0][0]) + 1.4)
    several = _panels(path, len(matrices), side + 0.6, side)
    for axes, (answers, counts) in zip(several, matrices, strict=True):
        _matrix(axes, answers, counts)


def _matrix(axes: Axes, names: Sequence[str], counts: NDArray[np.int64]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if shares[row, column] > 0.7 else INK
        axes.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=10)
    axes.set_xticks(range(len(names)), list(names))
    if len(names) > 2:
        axes.tick_params(axis="x", rotation=40)
    axes.set_yticks(range(len(names)), list(names))
    axes.set(xlabel="predicted", ylabel="label", title="Confusion, test")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def calibration(path: Path, before: Reliability, after: Reliability) -> None:
    """Reliability diagram, with intervals, of the scores as they are and calibrated: how often what
    is scored s is there; the area of a dot says how many.
    """
    with drawn(path, *SQUARE) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 4)))
        for diagram, color, name in ((before, ORANGE, "as scored"), (after, BLUE, "calibrated")):
            axes.plot(diagram.score, diagram.rate, color=color, linewidth=1.4, label=name)
            axes.vlines(
                diagram.score, diagram.low, diagram.high, color=color, linewidth=1.2, alpha=0.6
            )
            areas = 12 + 260 * diagram.size / diagram.size.sum()
            axes.scatter(diagram.score, diagram.rate, s=areas, color=color, alpha=0.75)
        axes.set(xlabel="mean score", ylabel="share of positives", title="Calibration, test")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        axes.legend(loc="best")


def score_histogram(
    path: Path, sample: Sample, classes: Sequence[str], thresholds: Mapping[str, float] | None
) -> None:
    """Scores of the images with and without each class, and the threshold between them."""
    size = SQUARE if len(classes) == 1 else FLAT
    for k, axes in enumerate(_panels(path, len(classes), *size)):
        name = classes[k]
        _histogram(axes, sample.targets[:, k], sample.scores[:, k], name)
        if thresholds:
            axes.axvline(thresholds[name], color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.set(xlabel=f"score of {name}", ylabel="images", title="Scores, test")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.legend(loc="upper center", frameon=True, framealpha=0.9, edgecolor="white")


def _histogram(axes: Axes, targets: Array, scores: Array, name: str) -> None:
    bins = np.linspace(0, 1, 26)
    sides = [(targets == 0, BLUE, f"without {name}"), (targets > 0, ORANGE, f"with {name}")]
    for chosen, color, label in sides:
        axes.hist(scores[chosen], bins.tolist(), color=color, alpha=0.55, label=label)


def net_benefit(path: Path, curves: Mapping[str, DecisionCurve]) -> None:
    """Decision curve of each class: acting on the score, on all and on none."""
    several = _panels(path, len(curves), *(SQUARE if len(curves) == 1 else FLAT))
    for axes, (name, curve) in zip(several, curves.items(), strict=True):
        axes.axhline(0, color=INK, linewidth=1.2, label="treat none")
        axes.plot(THRESHOLDS, curve.treat_all, color=ORANGE, linewidth=1.4, label="treat all")
        axes.plot(THRESHOLDS, curve.model, color=BLUE, linewidth=1.8, label="by the score")
        highest = max(float(curve.treat_all.max()), float(curve.model.max()), 0.01)
        axes.set(xlim=(0, 1), ylim=(-0.25 * highest, 1.15 * highest), title="Net benefit, test")
        axes.set(xlabel=f"threshold, chance of {name}", ylabel="net benefit")
        axes.legend(loc="best")


def robustness(path: Path, found: Mapping[str, Any]) -> None:
    """AUROC of a sample of images and the share that is called otherwise, with intervals, by kind
    and strength of what was done to them; `found` is as `robustness.summarise` gives it.
    """
    plain = {"auroc": found["auroc"], "changed": dict.fromkeys(ENDS, 0.0)}
    several = _panels(path, len(WORSE), *FLAT)
    for axes, (kind, amount) in zip(several, WORSE.items(), strict=True):
        steps = {"none": plain, **found[kind]}
        _course(axes, [step["auroc"] for step in steps.values()], BLUE, "AUROC")
        _course(axes, [step["changed"] for step in steps.values()], ORANGE, "called otherwise")
        axes.set_xticks(range(len(steps)), list(steps))
        axes.set(xlabel=amount, ylim=(-0.03, 1.03), title="Robustness, test")
        axes.legend(loc="center left")


def _course(axes: Axes, steps: Sequence[Mapping[str, float]], color: str, label: str) -> None:
    value, low, high = np.array([[step[end] for end in ENDS] for step in steps], float).T
    axes.plot(value, ".-", color=color, label=label)
    axes.vlines(range(len(steps)), low, high, color=color, linewidth=1.2, alpha=0.6)


def history(columns: Mapping[str, Array], kept: int | None) -> dict[str, bytes]:
    """Loss and AUROC by epoch, each as the bytes of a PNG.

    Args:
        columns: of a history: epoch, loss, val_loss, and the others where there are such.
        kept: the epoch whose weights were kept, marked with a line.
    """
    shown = [name for name in ("loss", "auroc") if f"val_{name}" in columns]
    return {name: _history(columns, name, kept) for name in shown}


def _history(columns: Mapping[str, Array], name: str, kept: int | None) -> bytes:
    buffer = io.BytesIO()
    with drawn(buffer, *FLAT) as figure:
        axes = figure.subplots()
        for form, (label, color) in LINES.items():
            if (column := form.format(name)) in columns:
                axes.plot(columns["epoch"], columns[column], ".-", color=color, label=label)
        if kept is not None:
            axes.axvline(kept, color=INK, linewidth=1, linestyle=(0, (4, 3)), label="kept")
        axes.set(xlabel="epoch", title={"loss": "Loss", "auroc": "AUROC"}[name])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return buffer.getvalue()
