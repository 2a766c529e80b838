"""Whether a challenger passes, from its scores: pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.common.slices import Flags
from tasks.common.wording import ENOUGH
from tasks.registry.cases import Cases
from tasks.statistics import Array
from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import auroc
from tasks.statistics.paired_difference import paired_auroc_difference
from tasks.statistics.patients import Patients, enough

if TYPE_CHECKING:
    from tasks.common.params.gate import Gate


@dataclass(frozen=True)
class Judgement:
    """The verdict, one reason for each rule, and the figures behind them."""

    passed: bool
    reasons: list[str]
    figures: dict[str, Any]


@dataclass(frozen=True)
class Check:
    """One rule: whether it holds, and how that reads."""

    holds: bool
    reason: str


def judge(cases: Cases, challenger: Array, champion: Array | None, rules: Gate) -> Judgement:
    """Hold a challenger to the floors and, if there is a champion, against it.

    Args:
        cases: the test images.
        challenger: its scores `(N, K)` of them.
        champion: likewise, or None where there is none to compare with.
        rules: the gate's parameters.
    """
    value = auroc(cases.targets, challenger, cases.groups)
    slices = dict(_slice_aurocs(cases, challenger, rules.floors.min_images))
    size = _size(cases)
    checks = [] if size.holds else [size]
    checks.append(_floor("AUROC", value, rules.floors.auroc))
    checks += [_floor(f"AUROC of {n}", x, rules.floors.slice_auroc) for n, x in slices.items()]
    figures: dict[str, Any] = {
        "images": len(cases.targets),
        "auroc": _json(value),
        "slices": {name: _json(x) for name, x in slices.items()},
    }
    if champion is not None:
        difference = _difference(cases, challenger, champion, rules)
        checks.append(_no_worse(difference, rules.margin))
        figures["difference"] = difference.to_json()
        figures["champion_auroc"] = _json(auroc(cases.targets, champion, cases.groups))
        figures["frozen"] = _frozen(cases, challenger, champion, rules)
    return Judgement(all(c.holds for c in checks), [c.reason for c in checks], figures)


def _can_be_judged(cases: Cases, chosen: Flags) -> bool:
    """Whether enough patients are among the chosen images for one output at least."""
    patients = Patients(cases.groups[chosen])
    return any(enough(column, patients) for column in cases.targets[chosen].T)


def _slice_aurocs(cases: Cases, scores: Array, min_images: int) -> Iterator[tuple[str, float]]:
    """The slices that are judged: large enough, in images and in patients."""
    for name, chosen in cases.slices.items():
        if chosen.sum() >= min_images and _can_be_judged(cases, chosen):
            yield name, auroc(cases.targets[chosen], scores[chosen], cases.groups[chosen])


def _size(cases: Cases) -> Check:
    """That the test set can judge at all."""
    holds = _can_be_judged(cases, np.ones(len(cases.targets), bool))
    return Check(
        holds,
        "the test set is too small to judge: required are "
        f"{ENOUGH} patients with the finding and {ENOUGH} without",
    )


def _floor(name: str, value: float, floor: float) -> Check:
    holds = value >= floor
    return Check(holds, f"{name} {value:.3f} {'reaches' if holds else 'misses'} the floor {floor}")


def _no_worse(difference: Interval, margin: float) -> Check:
    value, low, high = difference
    holds = low > -margin
    found = f"AUROC minus the champion's {value:+.3f} [{low:+.3f}, {high:+.3f}]"
    return Check(holds, f"{found} {'stays' if holds else 'does not stay'} above -{margin}")


def _frozen(cases: Cases, challenger: Array, champion: Array, rules: Gate) -> dict[str, Any]:
    """The difference on the images that the champion was tested on when it was trained; told, and
    not judged.
    """
    known = cases.frozen
    difference = _difference(cases.only(known), challenger[known], champion[known], rules)
    return {"images": int(known.sum()), "difference": difference.to_json()}


def _difference(cases: Cases, challenger: Array, champion: Array, rules: Gate) -> Interval:
    return paired_auroc_difference(
        cases.targets, champion, challenger, cases.groups, rules.confidence
    )


def _json(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
