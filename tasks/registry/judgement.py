"""Whether a challenger passes, from its scores: pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.registry import floors
from tasks.registry.cases import Cases
from tasks.registry.comparison import Comparison, Rival, compare, difference, in_words
from tasks.registry.outcome import BETTER, FAILED, FIRST, NOT_WORSE, worst
from tasks.statistics import Array
from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import Sample

if TYPE_CHECKING:
    from tasks.common.params.gate import Gate


@dataclass(frozen=True)
class Judgement:
    """The verdict in a word, one reason for each rule, which of them it misses beside those of the
    comparisons, and the figures behind them.
    """

    word: str
    reasons: list[str]
    figures: dict[str, Any]
    missed: Sequence[str] = ()
    better: bool = False  # than the champion: what the budget of looks counts


def judge(
    cases: Cases,
    challenger: Sample,
    rivals: Sequence[Rival],
    rules: Gate,
    level: float,
    itself: Rival | None = None,
) -> Judgement:
    """Hold a challenger to the floors, and against each rival.

    Args:
        cases: the test images.
        challenger: its scores and predictions of them.
        rivals: none for the first version, else the champion and, if that is another, the
            reference.
        rules: the gate's parameters.
        level: the chance of calling an equal model better that the budget allows.
        itself: the challenger's network as it was evaluated, where that is known: what is packaged
            must answer alike.
    """
    held = floors.hold(cases, challenger, rules.floors, rules.confidence)
    found = [compare(cases, challenger.scores, r, rules.confidence, level) for r in rivals]
    frozen = [
        difference(cases, challenger.scores, r, cases.frozen & r.known, rules.confidence)
        for r in rivals
    ]
    figures = {"images": len(cases.targets)} | held.figures
    figures["compared"] = {one.rival.name: one.to_json() for one in found}
    figures["frozen"] = {"images": int(cases.frozen.sum())} | {
        rival.name: apart.to_json() for rival, apart in zip(rivals, frozen, strict=True)
    }
    reasons = [check.reason for check in held.checks] + [one.reason for one in found]
    reasons += [] if cases.frozen.all() else _told(cases, rivals, frozen)
    words = [*(check.word for check in held.checks), *_shown(found)]
    missed = [check.reason for check in held.checks if check.word != FIRST]
    if itself is not None:
        parity, figures["parity"] = _parity(cases, challenger.scores, itself, rules.confidence)
        reasons.append(parity.reason)
        words.append(parity.word)
        missed += [parity.reason] * (parity.word != FIRST)
    return Judgement(worst(words), reasons, figures, missed, bool(found) and found[0].better)


def _shown(found: Sequence[Comparison]) -> list[str]:
    """What comparisons leave: beside the reference it is enough to be not worse."""
    return [one.word for one in found[:1]] + [
        FIRST if one.word in (BETTER, NOT_WORSE) else one.word for one in found[1:]
    ]


def _parity(
    cases: Cases, challenger: Array, itself: Rival, confidence: float
) -> tuple[floors.Check, float]:
    """By the value: one network answered the same images twice, so nothing is estimated."""
    lost = 0 - difference(cases, challenger, itself, itself.known, confidence).value
    holds = not lost > itself.margin  # also where no output has both outcomes
    told = f"packaged, it loses {lost:z.3f} of AUROC to {itself.name}"
    word = FIRST if holds else FAILED
    return floors.Check(word, f"{told}; allowed are {itself.margin:g}"), round(lost, 6)


def _told(cases: Cases, rivals: Sequence[Rival], frozen: Sequence[Interval]) -> list[str]:
    """The differences on the images that the reference was tested on when it was trained."""
    day = f"on the {cases.frozen.sum():,} test images of the reference's day, not judged"
    return [
        f"{day}, beside {rival.name}: {in_words(apart)}"
        for rival, apart in zip(rivals, frozen, strict=True)
        if not math.isnan(apart.low)
    ]
