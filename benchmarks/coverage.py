"""How often the intervals hold the truth, and how often the gate's rule lets a worse model pass.

Patients have several images that resemble one another; scores are normal, so that AUROC,
sensitivity and specificity are known (the binormal model), and predictive values follow from them
by Bayes' theorem. Half the patients have the finding, drawn anew each time; the images of one
patient correlate by 0.5. The operating point lies halfway.

There is no reference: the bars are absolute. With 20 patients, most draws are too small to judge;
these cells are printed without a bar.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from benchmarks.result import report
from tasks.statistics import Array
from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import Sample, measure
from tasks.statistics.paired_difference import paired_auroc_difference
from tasks.statistics.patients import Patients, enough

DRAWS = 1_000
AUROCS = (0.80, 0.90, 0.95, 0.97, 0.98, 0.99)
PATIENTS, IMAGES = (20, 50, 100, 400), (1, 4)
WITHIN = 0.5  # correlation of the images of one patient
PAIRED = (0.5, 0.8)  # of the scores of two models, beyond that of the truth
PREVALENCE = 0.1
MARGIN = 0.02
CONFIDENCE = 0.95
BARRED = (
    "auroc",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "ppv_at_prevalence",
    "npv_at_prevalence",
    "difference",
)
LEAST, MEAN = 0.92, (0.94, 0.98)
PASSES = (1 - CONFIDENCE) / 2
FROM = 50  # patients, from which on the bars hold
NORMAL = NormalDist()


class Cell(NamedTuple):
    """A setting: AUROC, patients, images of each, and for two models how they correlate."""

    auroc: float
    patients: int
    images: int
    paired: float | None = None


class Counted(NamedTuple):
    """Of a cell: draws that could be judged, and by figure how often the truth lay inside, and the
    mean width. Of two models also how often the worse one passed.
    """

    judged: int
    inside: Mapping[str, float]
    width: Mapping[str, float]
    passed: float


def truths(auroc: float) -> dict[str, float]:
    """What the figures estimate."""
    hit = NORMAL.cdf(NORMAL.inv_cdf(auroc) / math.sqrt(2))  # halfway: sensitivity and specificity
    odds = PREVALENCE / (1 - PREVALENCE)
    return {
        "auroc": auroc,
        **dict.fromkeys(("sensitivity", "specificity", "ppv", "npv"), hit),
        **dict.fromkeys(("accuracy", "balanced_accuracy", "f1"), hit),
        "mcc": 2 * hit - 1,
        "calibration_slope": 1.0,
        "ppv_at_prevalence": hit * odds / (hit * odds + 1 - hit),
        "npv_at_prevalence": hit / (hit + (1 - hit) * odds),
    }


def noise(generator: np.random.Generator, cell: Cell) -> Array:
    """Scores `(N,)` without a finding: variance 1, correlated within a patient."""
    own = np.repeat(generator.normal(size=cell.patients), cell.images)
    return own * math.sqrt(WITHIN) + generator.normal(size=len(own)) * math.sqrt(1 - WITHIN)


def draw(generator: np.random.Generator, cell: Cell) -> tuple[Array, Array]:
    """Targets `(N,)` and patients `(N,)`."""
    ill = generator.random(cell.patients) < 0.5
    return np.repeat(ill, cell.images).astype(float), np.repeat(
        np.arange(cell.patients), cell.images
    )


def apart(auroc: float) -> float:
    """The distance of the two normals with such an AUROC."""
    return math.sqrt(2) * NORMAL.inv_cdf(auroc)


def one_model(cell: Cell) -> Counted:
    """Every figure of one model."""
    generator, truth = np.random.default_rng(0), truths(cell.auroc)
    found: defaultdict[str, list[Interval]] = defaultdict(list)
    for _ in range(DRAWS):
        targets, groups = draw(generator, cell)
        raw = noise(generator, cell) + apart(cell.auroc) * (targets - 0.5)
        scores = 1 / (1 + np.exp(-apart(cell.auroc) * raw))  # a calibrated posterior: slope 1
        parts = (targets, scores, np.asarray(raw >= 0, float))
        sample = Sample("binary", *(np.asarray(part[:, None]) for part in parts))
        figures = measure(sample, groups, CONFIDENCE, PREVALENCE)
        if figures.judged[0]:
            for name, interval in (figures.whole | figures.mean).items():
                found[name].append(interval)
    return _counted(found, truth)


def two_models(cell: Cell) -> Counted:
    """The difference of a model that is worse by exactly the margin."""
    generator = np.random.default_rng(1)
    worse, shared = cell.auroc - MARGIN, cell.paired or 0.0
    found: defaultdict[str, list[Interval]] = defaultdict(list)
    for _ in range(DRAWS):
        targets, groups = draw(generator, cell)
        common = noise(generator, cell) * math.sqrt(shared)
        champion, challenger = (
            common + noise(generator, cell) * math.sqrt(1 - shared) + apart(auroc) * targets
            for auroc in (cell.auroc, worse)
        )
        if enough(targets, Patients(groups)):
            found["difference"].append(
                paired_auroc_difference(targets, champion, challenger, groups, CONFIDENCE)
            )
    return _counted(found, {"difference": -MARGIN})


def _counted(found: Mapping[str, list[Interval]], truth: Mapping[str, float]) -> Counted:
    judged = {name: [i for i in found[name] if not math.isnan(i.low)] for name in truth}
    inside = {n: _share(i.low <= truth[n] <= i.high for i in known) for n, known in judged.items()}
    width = {n: _share(i.high - i.low for i in known) for n, known in judged.items()}
    passed = _share(i.low > -MARGIN for i in judged.get("difference", []))
    return Counted(max(map(len, judged.values())), inside, width, passed)


def _share(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else math.nan


def cells() -> list[Cell]:
    """Every setting, of one model and of two."""
    alone = [Cell(a, p, i) for p in PATIENTS for i in IMAGES for a in AUROCS]
    return alone + [cell._replace(paired=r) for cell in alone for r in PAIRED]


def measured(cell: Cell) -> Counted:
    """The counts of a setting."""
    return one_model(cell) if cell.paired is None else two_models(cell)


def table(found: Mapping[Cell, Counted], names: Sequence[str]) -> None:
    """Print coverage and, behind it, mean width."""
    print(f"\n{'AUROC patients x images judged':<32}" + "".join(f"{short(n):>15}" for n in names))
    for cell, counted in found.items():
        paired = "" if cell.paired is None else f"  paired {cell.paired}"
        first = f"{cell.auroc:.2f} {cell.patients:>4} x {cell.images} {counted.judged:>6}{paired}"
        cells = (f"{counted.inside[n]:.3f} {counted.width[n]:8.3f}" for n in names)
        passed = "" if cell.paired is None else f"   passes {counted.passed:.3f}"
        print(f"{first:<32}" + "".join(f"{text:>15}" for text in cells) + passed)


def short(name: str) -> str:
    """A figure's name that fits a column."""
    return name.replace("_at_prevalence", " at p.").replace("_", " ")[:14]


def bars(found: Mapping[Cell, Counted]) -> Iterator[tuple[str, float, bool]]:
    """What is promised: its words, the figure, and whether it holds."""
    judged = {cell: counted for cell, counted in found.items() if cell.patients >= FROM}
    for name in BARRED:
        inside = [c.inside[name] for c in judged.values() if name in c.inside]
        yield f"{name}: least coverage, at least {LEAST}", min(inside), min(inside) >= LEAST
        mean = sum(inside) / len(inside)
        yield f"{name}: mean coverage, {MEAN[0]} to {MEAN[1]}", mean, MEAN[0] <= mean <= MEAN[1]
    most = PASSES + 2 * math.sqrt(PASSES * (1 - PASSES) / DRAWS)
    passed = max(c.passed for cell, c in judged.items() if cell.paired is not None)
    yield f"worse by the margin, passes, at most {most:.4f}", passed, passed <= most


def main() -> None:
    """Draw, print the table and the bars."""
    every = cells()
    with ProcessPoolExecutor() as pool:
        found = dict(zip(every, pool.map(measured, every), strict=True))
    one = {cell: counted for cell, counted in found.items() if cell.paired is None}
    two = {cell: counted for cell, counted in found.items() if cell.paired is not None}
    names = [*next(iter(one.values())).inside]
    print(f"{DRAWS} draws per cell: share of intervals that hold the truth, and their mean width")
    for start in range(0, len(names), 6):
        table(one, names[start : start + 6])
    print(f"\nA model that is worse by exactly {MARGIN}")
    table(two, ["difference"])
    print()
    held = []
    for words, figure, holds in bars(found):
        print(f"{words:<60} {figure:.4f} {'' if holds else '  NOT MET'}")
        held.append(holds)
    report("coverage", sum(held) / len(held), 1.0)


if __name__ == "__main__":
    main()
