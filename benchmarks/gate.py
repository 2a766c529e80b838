"""How often the gate errs, at one gate and over a year of them.

    python -m benchmarks.gate

A test set of 624 images, two per patient, half of the patients with the finding; scores are normal,
so that AUROCs are known, those of one patient's images correlate by 0.5, and beyond the truth those
of two models too: by 0.7, and by 0.8. One gate: each difference of two models, judged whole. A
year: 52 challengers, each 0.001 below the champion of its day (or equal to it), one test set,
whoever passes is promoted; a challenger passes by the gate's own comparisons, without the floors.

The reference is the rule without a reference: the champion of the day alone, in the same draws.
Pictures go to reports/.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.coverage import Cell, apart, noise
from benchmarks.result import report
from tasks.common.params.gate import Gate
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.pictures.canvas import BLUE, ORANGE, PALETTE, drawn
from tasks.registry.budget import level
from tasks.registry.cases import Cases
from tasks.registry.comparison import Comparison, Rival, compare
from tasks.registry.judgement import judge
from tasks.registry.outcome import BETTER, FAILED, NOT_WORSE, TOO_SMALL, WITHIN
from tasks.statistics import Array
from tasks.statistics.metrics import Sample

TOP = 0.970  # AUROC of the first champion
PATIENTS, IMAGES = 312, 2
SHARED = (0.7, 0.8)  # correlation of the scores of two models, beyond that of the truth
DIFFERENCES = (-0.04, -0.03, -0.02, -0.01, 0.0, 0.005, 0.01, 0.02)
DRAWS, YEARS, GATES = 600, 150, 52
LOSS = 0.001  # of each challenger against the champion of its day
PASSING = (BETTER, NOT_WORSE, WITHIN)
WORDS = (BETTER, NOT_WORSE, WITHIN, TOO_SMALL, FAILED)
MOST, LEAST_BETTER, LEAST_EQUAL = 0.05, 0.75, 0.75
FINAL, FIFTH = 0.955, 0.948
PICTURES = {name: Path(f"reports/gate_{name}.png") for name in ("one", "years")}


class Year(NamedTuple):
    """Of many years, `(years, gates)`: the champion's true AUROC behind each gate, whether the
    challenger passed, and whether it was called better.
    """

    champion: Array
    passed: Array
    better: Array


@dataclass
class TestSet:
    """One drawn test set, and the models that score it."""

    generator: np.random.Generator
    shared: float
    cell: Cell = field(default=Cell(TOP, PATIENTS, IMAGES))

    def __post_init__(self) -> None:
        ill = np.arange(PATIENTS) % 2
        self._targets = np.repeat(ill, IMAGES).astype(float)
        groups = np.repeat(np.arange(PATIENTS), IMAGES)
        everything = np.ones(len(groups), bool)
        self.cases = Cases(self._targets[:, None], groups, {}, everything)
        self._common = noise(self.generator, self.cell) * math.sqrt(self.shared)

    def model(self, auroc: float) -> Array:
        """Scores `(N, 1)` in (0, 1) of a new model with this true AUROC."""
        own = noise(self.generator, self.cell) * math.sqrt(1 - self.shared)
        raw = self._common + own + apart(auroc) * (self._targets - 0.5)
        return np.asarray(1 / (1 + np.exp(-apart(auroc) * raw)))[:, None]


def rules() -> Gate:
    """The gate's rules as the project ships them."""
    return load(Params).gate


def one_gate(difference: float, shared: float) -> Counter[str]:
    """The words of verdicts on a challenger that differs by so much, at a first look."""
    generator, settings = np.random.default_rng(0), rules()
    words: Counter[str] = Counter()
    for _ in range(DRAWS):
        test = TestSet(generator, shared)
        champion, challenger = test.model(TOP), test.model(TOP + difference)
        predictions = (challenger >= 0.5).astype(float)
        sample = Sample("binary", test.cases.targets, challenger, predictions)
        rival = Rival("the champion and reference", champion, settings.margin)
        words[judge(test.cases, sample, [rival], settings, level([], settings.alpha)).word] += 1
    return words


def years(loss: float, shared: float, referred: bool, seeds: Sequence[int]) -> Year:
    """Years of gates in a row, with the reference or without; one test set per year."""
    settings = rules()
    found = [
        list(_gates(TestSet(np.random.default_rng(seed), shared), loss, referred, settings))
        for seed in seeds
    ]
    return Year(*np.moveaxis(np.array(found, float), 2, 0))


def _gates(
    test: TestSet, loss: float, referred: bool, settings: Gate
) -> Iterator[tuple[float, bool, bool]]:
    auroc, shown = TOP, list[bool]()
    first = champion = Rival("the first", test.model(TOP), settings.margin)
    for _ in range(GATES):
        challenger = test.model(auroc - loss)
        found = _compared(test.cases, challenger, champion, settings, shown)
        passed = found.word in PASSING
        if passed and referred and champion is not first:
            beside = _compared(test.cases, challenger, first, settings, shown)
            passed = beside.word in PASSING
        shown.append(found.better)
        if passed:
            auroc, champion = auroc - loss, Rival("the champion", challenger, settings.margin)
        yield auroc, passed, found.better


def _compared(
    cases: Cases, challenger: Array, rival: Rival, settings: Gate, shown: Sequence[bool]
) -> Comparison:
    return compare(cases, challenger, rival, settings.confidence, level(shown, settings.alpha))


def error(share: float, draws: int) -> float:
    """The Monte Carlo standard error of a share."""
    return math.sqrt(max(share * (1 - share), 1 / draws) / draws)


def main() -> None:
    """Draw, print tables and bars, and draw the pictures."""
    with ProcessPoolExecutor() as pool:
        pairs = [(d, shared) for shared in SHARED for d in DIFFERENCES]
        one = dict(zip(pairs, pool.map(one_gate, *zip(*pairs, strict=True)), strict=True))
        settings = [(loss, s, True) for s in SHARED for loss in (LOSS, 0.0)]
        settings += [(LOSS, s, False) for s in SHARED]
        many = {setting: _together(pool, *setting) for setting in settings}
    _print_one(one)
    _print_years(many)
    Path("reports").mkdir(exist_ok=True)
    held = []
    for words, figure, holds in bars(one, many):
        print(f"{words:<76} {figure:.4f} {'' if holds else '  NOT MET'}")
        held.append(holds)
    _draw_one(one)
    _draw_years(many)
    print(f"Pictures: {', '.join(map(str, PICTURES.values()))}")
    report("gate", sum(held) / len(held), 1.0)


def _together(pool: ProcessPoolExecutor, loss: float, shared: float, referred: bool) -> Year:
    parts = np.array_split(np.arange(YEARS), 8)
    found = list(pool.map(partial(years, loss, shared, referred), parts))
    return Year(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


Ones = Mapping[tuple[float, float], Counter[str]]
Many = Mapping[tuple[float, float, bool], Year]


def _print_one(one: Ones) -> None:
    most = math.sqrt(0.25 / DRAWS)
    print(f"One gate: shares of {DRAWS:,} draws, Monte Carlo error at most {most:.3f}\n")
    print(f"{'models alike by':<16}{'difference':>11}" + "".join(f"{w[:18]:>20}" for w in WORDS))
    for (difference, shared), words in one.items():
        shares = "".join(f"{words[word] / DRAWS:>20.3f}" for word in WORDS)
        print(f"{shared:<16}{difference:>+11.3f}{shares}")


def _print_years(many: Many) -> None:
    print(
        f"\n{GATES} gates in a row, {YEARS} times, each challenger below the champion by `loss`\n"
    )
    print(
        f"{'alike':<7}{'loss':>6}  {'judged against':<26}{'final AUROC: mean (error)':>26}"
        f"{'5th percentile':>16}{'promotions':>12}{'share passed':>14}{'ever better':>13}"
    )
    for (loss, shared, referred), year in many.items():
        rivals = "champion and reference" if referred else "champion alone"
        final = year.champion[:, -1]
        off = final.std(ddof=1) / math.sqrt(YEARS)
        print(
            f"{shared:<7}{loss:>6.3f}  {rivals:<26}{final.mean():>17.4f} ({off:.4f})"
            f"{np.quantile(final, 0.05):>16.4f}{year.passed.sum(axis=1).mean():>12.1f}"
            f"{year.passed.mean():>14.3f}{year.better.any(axis=1).mean():>13.3f}"
        )
    print()


def bars(one: Ones, many: Many) -> Iterator[tuple[str, float, bool]]:
    """What is promised: its words, the figure, and whether it holds."""
    allowed = MOST + 2 * error(MOST, DRAWS)
    for shared in SHARED:
        alike = f"models alike by {shared}"
        share = one[0.0, shared][BETTER] / DRAWS
        yield f"{alike}: equal, called better, at most {MOST}", share, share <= MOST
        share = _passing(one[-rules().margin, shared])
        yield (
            f"{alike}: worse by the margin, passes, at most {allowed:.3f}",
            share,
            share <= allowed,
        )
        share = one[rules().margin, shared][BETTER] / DRAWS
        yield (
            f"{alike}: better by the margin, called so, at least {LEAST_BETTER}",
            share,
            (share >= LEAST_BETTER),
        )
        share = _passing(one[0.0, shared])
        yield f"{alike}: equal, passes, at least {LEAST_EQUAL}", share, share >= LEAST_EQUAL
        ever = float(many[0.0, shared, True].better.any(axis=1).mean())
        most = MOST + 2 * error(MOST, YEARS)
        yield (
            f"{alike}: a year of equals, ever called better, at most {most:.3f}",
            ever,
            ever <= most,
        )
        final = many[LOSS, shared, True].champion[:, -1]
        mean, fifth = float(final.mean()), float(np.quantile(final, 0.05))
        yield f"{alike}: a year of losses, mean of the end, at least {FINAL}", mean, mean >= FINAL
        yield f"{alike}: its 5th percentile, at least {FIFTH}", fifth, fifth >= FIFTH


def _passing(words: Counter[str]) -> float:
    return sum(words[word] for word in PASSING) / DRAWS


def _draw_one(one: Ones) -> None:
    with drawn(PICTURES["one"], 9.0, 3.6) as figure:
        for axes, shared in zip(figure.subplots(1, len(SHARED), sharey=True), SHARED, strict=True):
            shares = [[one[d, shared][word] / DRAWS for d in DIFFERENCES] for word in WORDS]
            axes.stackplot(DIFFERENCES, shares, labels=WORDS, colors=PALETTE, alpha=0.85)
            axes.axvline(-rules().margin, color="white", linewidth=1, linestyle="--")
            axes.set(xlabel="true AUROC, challenger minus champion", ylim=(0, 1))
            axes.set(title=f"models alike by {shared}", xlim=(DIFFERENCES[0], DIFFERENCES[-1]))
        figure.axes[0].set(ylabel="share of gates")
        figure.axes[0].legend(loc="upper left", fontsize=7, facecolor="white", frameon=True)


def _draw_years(many: Many) -> None:
    with drawn(PICTURES["years"], 9.0, 3.6) as figure:
        for axes, shared in zip(figure.subplots(1, len(SHARED), sharey=True), SHARED, strict=True):
            for referred, color in ((False, ORANGE), (True, BLUE)):
                champion = many[LOSS, shared, referred].champion
                label = "champion and reference" if referred else "champion alone"
                low, high = np.quantile(champion, (0.05, 0.95), axis=0)
                weeks = np.arange(1, GATES + 1)
                axes.plot(weeks, champion.mean(axis=0), color=color, label=label)
                axes.fill_between(weeks, low, high, color=color, alpha=0.2, linewidth=0)
            axes.set(xlabel="gate", title=f"models alike by {shared}")
        figure.axes[0].set(ylabel="true AUROC of the champion")
        figure.axes[0].legend(loc="lower left", title="judged against")


if __name__ == "__main__":
    main()
