"""Sentences about what was measured: on val, on test, elsewhere, in subgroups and under stress."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tasks.common import slices
from tasks.common.wording import (
    count,
    far_below,
    interval,
    judged,
    number,
)
from tasks.evidence.checklist import Facts

UNDEFINED = "no AUROC is defined on the images that were changed: more patients help"
UNTESTED = "no image of test could be tested"
NOT_ELSEWHERE = "not done: evaluate.external names images of another place"
ACCURACY = {
    "auroc": "AUROC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
}
METHODS = {"gradcam": "Grad-CAM", "occlusion": "Occlusion"}
STRESS = {"noise": "noise", "contrast": "contrast", "jpeg": "JPEG"}


def on_page_one(facts: Facts) -> str:
    """The report is its own summary."""
    return "This report begins with what the model predicts, how well, and what is wrong with it."


def measures(facts: Facts) -> str:
    """Which figures are given, and what they are compared with."""
    return (
        "AUROC, AUPRC, sensitivity, specificity, predictive values and calibration, per image and "
        "per patient. The gate compares with the model in use; published models are not compared."
    )


def uncertainty(facts: Facts) -> str:
    """How intervals and comparisons are made."""
    return (
        f"{facts['confidence']:.0%} intervals in closed form with {facts['units']} as units; the "
        "gate's comparison is paired, and its error rates were measured."
    )


def robustness(facts: Facts) -> str:
    """The worst of the changes that test images were put through."""
    tested = facts["metrics"]["test"]["robustness"]
    found = [
        (step["auroc"]["value"], f"{name} {strength}")
        for kind, name in STRESS.items()
        for strength, step in tested[kind].items()
        if step["auroc"]["value"] is not None
    ]
    if not found:
        return ""
    worst, change = min(found)
    return (
        f"On {count(tested['images'], 'image')} of test: AUROC {number(tested['auroc']['value'])} "
        f"as they are, {number(worst)} at worst ({change})."
    )


def explained(facts: Facts) -> str:
    """What the tests of heatmaps say of each class."""
    found = facts["explanations"]
    told = [
        f"{name} {judged(of_class['beats_chance'])}" for name, of_class in found["classes"].items()
    ]
    if not told:
        return ""
    return f"{METHODS[found['method']]}, held to chance. Beats it: {', '.join(told)}."


def internal(facts: Facts) -> str:
    """Val beside test."""
    val, test = (interval(facts["metrics"][side]["auroc"]) for side in ("val", "test"))
    apart = far_below(facts["metrics"])
    return f"AUROC {val} on val, {test} on test." + f" {apart}." * bool(apart)


def external(facts: Facts) -> str:
    """Images of other people, where there are any."""
    if "external" not in facts["metrics"]:
        return ""
    others, test = facts["metrics"]["external"], facts["metrics"]["test"]
    return (
        f"AUROC {interval(others['auroc'])} on {count(others['images'], 'image')} of "
        f"{count(others['patients'], 'patient')} from elsewhere, {interval(test['auroc'])} on test."
    )


def accuracy(facts: Facts) -> str:
    """The figures of test."""
    test = facts["metrics"]["test"]
    told = [f"{name} {interval(test[key])}" for key, name in ACCURACY.items() if key in test]
    return f"On test: {', '.join(told)}."


def cross_table(facts: Facts) -> str:
    """How many answers are right, of images with and without the finding."""
    if facts["about"]["kind"] != "binary":
        return "The confusion matrix of test stands among the figures."
    test, (negative, positive) = facts["metrics"]["test"], facts["about"]["classes"]
    sick = test["positives"]
    well = test["images"] - sick
    found = round(sick * (test["sensitivity"]["value"] or 0))  # not defined where nobody is
    passed = round(well * (test["specificity"]["value"] or 0))
    return f"Right are {found:,} of {sick:,} {positive} and {passed:,} of {well:,} {negative}."


def failures(facts: Facts) -> str:
    """What is shown of wrong answers and of labels that may be wrong."""
    audit = facts["audit"]
    doubted = ""
    if audit["judged"]:
        labels = count(audit["images"], "label")
        doubted = (
            f" Of {labels} {audit['likely_errors']:,} may be wrong, by images of other patients."
        )
    return (
        "The confusion matrix, and wrong answers with their heatmaps and with the images of train "
        f"that are most like them.{doubted}"
    )


def fairness(facts: Facts) -> str:
    """The range over subgroups that are large enough; empty where none is known."""
    groups = list(_subgroups(facts))
    if not groups:
        return ""
    known = [(auroc["value"], name) for name, auroc in groups if auroc["low"] is not None]
    floors = facts["gate"]["floors"]
    held = (
        f"The gate holds those of {floors['min_images']} images or more to an AUROC of "
        f"{floors['slice_auroc']:g} and a sensitivity of {floors['slice_sensitivity']:g}."
    )
    small = f"{len(groups) - len(known)} of {len(groups)} subgroups of test have too few patients"
    if not known:
        return f"{small}. {held}"
    (low, worst), (high, best) = min(known), max(known)
    return f"AUROC from {number(low)} ({worst}) to {number(high)} ({best}); {small}. {held}"


def _subgroups(facts: Facts) -> Iterator[tuple[str, Facts]]:
    for column, values in facts["metrics"]["test"]["slices"].items():
        for value, figures in values.items():
            if column != "batch":
                yield f"{slices.name_of(column).replace('_', ' ')} {value}", figures["auroc"]


def indeterminate(facts: Facts) -> str:
    """What becomes of answers that are not sure."""
    sets = facts["metrics"]["test"]["conformal"]
    return (
        "Every image that can be read gets an answer; none is left out of the figures. Sets of "
        f"answers leave {interval(sets['size'])} open on average, and hold the right one in a "
        f"share of {interval(sets['coverage'])}."
    )


def weaknesses(facts: Facts) -> str:
    """What the machine itself has found wrong; empty if nothing."""
    found = [*facts["alarms"], *chain.from_iterable(facts["concerns"].values())]
    return " ".join(f"{told}." for told in found)
