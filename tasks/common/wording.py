"""Figures as a person reads them, in logs and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENOUGH = 10  # patients with, and without, a finding: with fewer a figure is shown and not judged
FAR = 0.05  # AUROC of test below that of val, past which the two sides are not alike


def number(value: float | None) -> str:
    """Three decimals, as metrics are given, zero without a sign; a dash for what is not defined."""
    return "-" if value is None else f"{value:z.3f}"


def interval(value: Mapping[str, float | None]) -> str:
    """A value with its interval, as in `0.958 (0.942 to 0.971)`."""
    return f"{number(value['value'])} {ends(value)}".strip()


def ends(value: Mapping[str, float | None]) -> str:
    """The ends of an interval in brackets, nothing where there is none."""
    if value["low"] is None:
        return ""
    return f"({number(value['low'])} to {number(value['high'])})"


def far_below(metrics: Mapping[str, Any], low: str = "test", high: str = "val") -> str:
    """That one set of images is far below another, in the numbers of `reports/metrics.json`: their
    AUROCs are more than `FAR` apart and their intervals do not meet; empty if it is not.
    """
    lower, upper = (metrics[part]["auroc"] for part in (low, high))
    if None in (lower["high"], upper["low"]) or lower["high"] >= upper["low"]:
        return ""
    if upper["value"] - lower["value"] <= FAR:
        return ""
    return f"AUROC on {low} {interval(lower)} is far below that on {high} {interval(upper)}"


def too_small(metrics: Mapping[str, Any], part: str = "test") -> str:
    """That a set of images is too small to judge, in the numbers of `reports/metrics.json`; empty
    if it is not.
    """
    images = metrics[part]
    if images["judged"]:
        return ""
    found = "no class has them"
    if "patients_with" in images:
        found = f"it has {images['patients_with']:,} and {images['patients_without']:,}"
    return (
        f"{part.capitalize()} is too small to judge: required are {ENOUGH} patients with the "
        f"finding and {ENOUGH} without, {found}"
    )


def leak(numbers: Mapping[str, Any]) -> str:
    """What the source's own split has on two sides, in the numbers of `reports/split.json`:
    `3 patients (7 images) and 1 pair of the same picture`; empty if nothing.
    """
    patients, pairs = numbers["patients_on_two_sides"], numbers["pictures_on_two_sides"]
    images = count(numbers["images_of_patients_on_two_sides"], "image")
    found = [f"{count(patients, 'patient')} ({images})"] * bool(patients)
    found += [f"{count(pairs, 'pair')} of the same picture"] * bool(pairs)
    return " and ".join(found)


def lost(numbers: Mapping[str, Any]) -> str:
    """What leaks cost each side of the source's split, in the numbers of `reports/split.json`:
    `of train 3 images (normal 1, pneumonia 2)`; empty if nothing.
    """
    return " and ".join(
        f"of {side} {count(gone['images'], 'image')} "
        f"({', '.join(f'{name} {many:,}' for name, many in gone['classes'].items())})"
        for side, gone in numbers["dropped"].items()
    )


def count(number: int, what: str) -> str:
    """`1 image`, `2,000 images`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def heatmaps(classes: Mapping[str, Any]) -> list[str]:
    """What is wrong with the heatmaps of classes, as `reports/explanations.json` has them."""
    told = []
    for name, found in classes.items():
        masks, scores = found["by_masks"], found["by_scores"]
        if found["beats_chance"] is False:
            told.append(f"Heatmaps of {name} are no better than chance: {_chance(masks, scores)}")
        if found["follows_weights"] is False:
            likeness = interval(scores["shuffled_correlation"])
            told.append(
                f"Heatmaps of {name} are not shown to follow the weights (rank correlation "
                f"{likeness} when these are shuffled): they may show the image more than what "
                "was learnt"
            )
    return told


def judged(verdict: bool | None) -> str:
    """A verdict that may be missing."""
    return {True: "yes", False: "no", None: "too few to tell"}[verdict]


def _chance(masks: Mapping[str, Any] | None, scores: Mapping[str, Any]) -> str:
    if masks and masks["pointing"]["low"] is not None:
        return (
            f"they hit the finding in a share of {interval(masks['pointing'])} of the images, "
            f"a point anywhere does in {number(masks['pointing_by_chance'])}"
        )
    return (
        "without what they show, and with it alone, the score changes no more than with places at "
        f"random, by {interval(scores['mean'])}"
    )


def allowed(limits: Mapping[str, Any]) -> str:
    """What an expectation allows: `5 to 250`, `2 or more`, `train, val, test`."""
    if "value_set" in limits:
        return ", ".join(str(value) for value in limits["value_set"])
    low, high = (_short(limits.get(end)) for end in ("min_value", "max_value"))
    if high == "0" or not (low or high):
        return "no exception"
    if low and high:
        return low if low == high else f"{low} to {high}"
    return f"{low} or more" if low else f"{high} or less"


def _short(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)
