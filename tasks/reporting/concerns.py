"""What is wrong with a model, in words, for whoever is to promote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tasks.common import wording
from tasks.pictures.page import heading
from tasks.reporting import forgetting, weak_slices

if TYPE_CHECKING:
    from tasks.common.params.gate import Floors

Facts = Mapping[str, Any]
CHANGED = 0.01  # share of the answers that packaging may change untold
TURNED = 0.1  # and that a change of the images may
CHANGES = ("noise", "contrast", "jpeg")  # that robustness is measured by


def alarms(facts: Facts) -> list[str]:
    """What must be known before any figure is read."""
    metrics = facts["metrics"]
    return [told for told in (wording.far_below(metrics), wording.too_small(metrics)) if told]


def find(facts: Facts, floors: Floors, coverage: float) -> dict[str, list[str]]:
    """What the stages found wrong, by the section of the report that says more; `facts` as
    `content.read` gives them, `coverage` what sets of answers are fitted to.
    """
    test = facts["metrics"]["test"]
    found = {
        "cohort": [*_of_split(facts["receipt"]), *_of_validation(facts["validation"])],
        "slices": [
            *(weak.told() for weak in weak_slices.find(test, floors)),
            *forgetting.told(facts["metrics"], facts["training"]),
        ],
        "calibration": [
            *_of_calibration(test["calibrated"], floors.calibration_error),
            *_of_sets(test["conformal"], coverage),
        ],
        "robustness": _of_robustness(test["robustness"]),
        "external": _of_external(facts["metrics"]),
        "explanations": wording.heatmaps(facts["explanations"]["classes"]),
        "errors": _of_labels(facts["audit"]),
        "package": _of_package(facts["compression"]),
    }
    told = {section: list(lines) for section, lines in found.items()}
    return {section: lines for section, lines in told.items() if lines}


def _of_split(receipt: Facts) -> Iterator[str]:
    without, images = receipt["images_without_patient_id"], receipt["images"]
    if without:
        yield (
            f"{without:,} of {images:,} images have no patient id: each counts as a patient of its "
            "own, so a person with several images may stand on two sides, and figures may flatter"
        )
    if receipt["on_leak"] == "report" and (leak := wording.leak(receipt)):
        yield f"{leak} stand on two sides of the split, so figures on test may flatter"


def _of_validation(validation: Facts) -> Iterator[str]:
    for warning in validation["warnings"]:
        if not warning.get("report"):  # what an earlier version has written says nothing of it
            yield f"{warning['says']}: this does not hold. Found: {warning['found']}"


def _of_calibration(calibrated: Facts, limit: float) -> Iterator[str]:
    error = calibrated["ece"]["value"]
    if error is not None and error > limit:
        yield f"Calibration error {wording.number(error)}, past the limit {limit:g} of the gate"
    slopes = calibrated.get("classes") or {"": calibrated}
    for name, found in slopes.items():
        slope = found["calibration_slope"]
        whose = f"Scores of {name}" if name else "Scores"
        if slope["high"] is not None and slope["high"] < 1:
            yield f"{whose} are too sure: calibration slope {wording.interval(slope)}, 1 is right"
        elif slope["low"] is not None and slope["low"] > 1:
            yield f"{whose} are too unsure: calibration slope {wording.interval(slope)}, 1 is right"


def _of_sets(sets: Facts, coverage: float) -> Iterator[str]:
    wholes = {"all images": sets, **sets["classes"]}
    low = [
        f"{whose} {wording.interval(found['coverage'])}"
        for whose, found in wholes.items()
        if found["coverage"]["high"] is not None and found["coverage"]["high"] < coverage
    ]
    if low:
        told = f"Sets of answers hold the right one too seldom, {coverage:g} is right"
        yield f"{told}: {', '.join(low)}"


def _of_robustness(worse: Facts) -> Iterator[str]:
    plain = worse["auroc"]["value"]
    for kind in CHANGES:
        for strength, found in worse.get(kind, {}).items():
            high = found["auroc"]["high"]
            if high is not None and high < plain:
                auroc = f"AUROC {wording.interval(found['auroc'])}, from {wording.number(plain)}"
                yield f"{heading(kind)} {strength}: {auroc}"
        yield from _turned(kind, worse.get(kind, {}))


def _turned(kind: str, strengths: Facts) -> Iterator[str]:
    """The mildest change that clearly turns more answers than may be."""
    for strength, found in strengths.items():
        low = found["changed"]["low"]
        if low is not None and low > TURNED:
            share = wording.interval(found["changed"])
            yield f"{heading(kind)} {strength} changes a share of {share} of the answers"
            return


def _of_external(metrics: Facts) -> Iterator[str]:
    if "external" in metrics:
        far = wording.far_below(metrics, "external", "test")
        yield from filter(None, (far, wording.too_small(metrics, "external")))


def _of_labels(audit: Facts) -> Iterator[str]:
    if audit["likely_errors"]:
        yield (
            f"{audit['likely_errors']:,} of {audit['images']:,} labels may be wrong, "
            f"{audit['splits'].get('test', {}).get('likely_errors', 0):,} of them in test, by "
            f"features whose own AUROC is {wording.number(audit['features_auroc'])}"
        )


def _of_package(compression: Facts) -> Iterator[str]:
    if not compression["serves"].startswith("int8"):
        return
    changed = compression["int8"]["test"]["changed"]
    if changed > CHANGED:
        yield f"With the int8 file that serves, {changed:.1%} of the answers on test change"
