"""What every version must reach, whoever else there is.

The whole test set is held to the lower end of each interval: a value that reaches the floor while
its lower end does not is too small to judge. Two are held to the value. A slice is small, and its
lower end lies low for that alone: it would refuse nearly every model. And the calibration error has
no interval, since chance bends it upwards: its value is the careful end already.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.common.slices import Flags
from tasks.common.wording import ENOUGH, count
from tasks.registry.cases import Cases
from tasks.registry.outcome import FAILED, FIRST, TOO_SMALL
from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import Figures, Sample, measure
from tasks.statistics.patients import Patients, enough

if TYPE_CHECKING:
    from tasks.common.params.gate import Floors

WHOLE = {"auroc": "AUROC", "sensitivity": "sensitivity", "specificity": "specificity"}
OF_SLICES = {"auroc": "slice_auroc", "sensitivity": "slice_sensitivity"}  # figure -> its floor


@dataclass(frozen=True)
class Check:
    """One rule: the word that it leaves (`FIRST` where it holds), and how that reads."""

    word: str
    reason: str


@dataclass(frozen=True)
class Held:
    """What was held to the floors."""

    checks: list[Check]
    figures: dict[str, Any]


def hold(cases: Cases, sample: Sample, floors: Floors, confidence: float) -> Held:
    """Hold a sample, the challenger's, to its floors."""
    if not _can_be_judged(cases, np.ones(len(sample), bool)):
        return Held([_too_few()], {})
    whole = measure(sample, cases.groups, confidence)
    slices = dict(_slices(cases, sample, floors.min_images, confidence))
    checks = [_end(WHOLE[name], whole.mean[name], getattr(floors, name)) for name in WHOLE]
    checks.append(_at_most("calibration error", whole.whole["ece"].value, floors.calibration_error))
    checks += [
        _value(f"{WHOLE[figure]} of {name}", measured.mean[figure].value, getattr(floors, floor))
        for name, measured in slices.items()
        for figure, floor in OF_SLICES.items()
    ]
    figures: dict[str, Any] = {name: whole.mean[name].to_json() for name in WHOLE}
    figures["calibration_error"] = whole.whole["ece"].to_json()["value"]
    figures["slices"] = {
        name: {figure: measured.mean[figure].to_json() for figure in OF_SLICES}
        for name, measured in slices.items()
    }
    return Held(checks, figures)


def _can_be_judged(cases: Cases, chosen: Flags) -> bool:
    """Whether enough patients are among the chosen images for one output at least."""
    patients = Patients(cases.groups[chosen])
    return any(enough(column, patients) for column in cases.targets[chosen].T)


def _slices(
    cases: Cases, sample: Sample, min_images: int, confidence: float
) -> Iterator[tuple[str, Figures]]:
    """The slices that are judged: large enough, in images and in patients."""
    for name, chosen in cases.slices.items():
        if chosen.sum() >= min_images and _can_be_judged(cases, chosen):
            yield name, measure(sample.where(chosen), cases.groups[chosen], confidence)


def _too_few() -> Check:
    return Check(
        TOO_SMALL,
        f"the test set is too small to judge: required are {count(ENOUGH, 'patient')} with the "
        f"finding and {ENOUGH} without",
    )


def _end(name: str, found: Interval, floor: float) -> Check:
    value, low, _ = found
    told = f"{name} {value:.3f}, by the interval {low:.3f} or more"
    if low >= floor:
        return Check(FIRST, f"{told}, reaches the floor {floor:g}")
    word = FAILED if value < floor else TOO_SMALL
    missed = f"misses the floor {floor:g}"
    return Check(word, f"{told}, {missed}" if word == FAILED else f"{told}: that {missed}")


def _value(name: str, value: float, floor: float) -> Check:
    holds = math.isnan(value) or value >= floor  # of no output that can be judged here
    told = "reaches" if holds else "misses"
    return Check(FIRST if holds else FAILED, f"{name} {value:.3f} {told} the floor {floor:g}")


def _at_most(name: str, value: float, limit: float) -> Check:
    holds = value <= limit
    told = "within" if holds else "past"
    return Check(FIRST if holds else FAILED, f"{name} {value:.3f} is {told} the limit {limit:g}")
