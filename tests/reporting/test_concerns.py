"""Each thing that can be wrong is told once, and nothing where all is well."""

from __future__ import annotations

import pytest

from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.reporting import concerns

GOOD = {"value": 0.95, "low": 0.9, "high": 1.0}
RIGHT = {"value": 1.0, "low": 0.8, "high": 1.2}
FEW = {"value": 0.05, "low": 0.01, "high": 0.2}
STEP = {"auroc": GOOD, "changed": FEW}
SETS = {"coverage": GOOD, "classes": {"a": {"coverage": GOOD}}}
TEST = {
    "auroc": GOOD,
    "sensitivity": GOOD,
    "judged": True,
    "slices": {},
    "calibrated": {"ece": {"value": 0.1}, "calibration_slope": RIGHT},
    "conformal": SETS,
    "robustness": {"auroc": GOOD, "noise": {"5": STEP, "10": STEP}},
}
AUDIT = {
    "likely_errors": 0,
    "images": 60,
    "features_auroc": 0.9,
    "splits": {"test": {"likely_errors": 0}},
}
FACTS = {
    "metrics": {"test": TEST, "val": TEST},
    "receipt": {"images_without_patient_id": 0, "images": 60, "on_leak": "fail"},
    "validation": {"warnings": []},
    "training": {"start": None},
    "explanations": {"classes": {}},
    "audit": {
        "likely_errors": 0,
        "images": 60,
        "features_auroc": 0.9,
        "splits": {"test": {"likely_errors": 0}},
    },
    "compression": {"serves": "float.onnx", "int8": {"test": {"changed": 0.5}}},
}
LEAK = {
    "on_leak": "report",
    "patients_on_two_sides": 2,
    "images_of_patients_on_two_sides": 7,
    "pictures_on_two_sides": 0,
}
WARNING = {"says": "No shortcut", "found": "site", "report": None}
LOW = {"value": 0.7, "low": 0.6, "high": 0.8}
TURNED = {"changed": LOW}


def with_test(**values):
    return {"metrics": {"test": TEST | values, "val": TEST}}


@pytest.fixture
def floors(workspace):
    return load(Params).gate.floors


def test_where_all_is_well_nothing_is_told(floors):
    assert concerns.find(FACTS, floors, 0.9) == {}
    assert concerns.alarms(FACTS) == []


@pytest.mark.parametrize(
    ("wrong", "section", "told"),
    [
        ({"receipt": FACTS["receipt"] | LEAK}, "cohort", "2 patients (7 images) stand on two"),
        ({"receipt": FACTS["receipt"] | {"images_without_patient_id": 9}}, "cohort", "9 of 60"),
        (
            {"validation": {"warnings": [WARNING, WARNING | {"report": "reports/split.json"}]}},
            "cohort",
            "No shortcut: this does not hold. Found: site",
        ),
        (
            with_test(calibrated={"ece": {"value": 0.3}, "calibration_slope": RIGHT}),
            "calibration",
            "Calibration error 0.300, past the limit 0.2",
        ),
        (
            with_test(calibrated={"ece": {"value": 0.1}, "calibration_slope": LOW}),
            "calibration",
            "Scores are too sure: calibration slope 0.700 (0.600 to 0.800)",
        ),
        (
            with_test(
                calibrated={"ece": {"value": 0.1}, "classes": {"a": {"calibration_slope": LOW}}}
            ),
            "calibration",
            "Scores of a are too sure",
        ),
        (
            with_test(robustness=TEST["robustness"] | {"jpeg": {"20": STEP | {"auroc": LOW}}}),
            "robustness",
            "JPEG 20: AUROC 0.700 (0.600 to 0.800), from 0.950",
        ),
        (
            with_test(
                robustness=TEST["robustness"] | {"noise": dict.fromkeys("12", STEP | TURNED)}
            ),
            "robustness",
            "Noise 1 changes a share of 0.700 (0.600 to 0.800) of the answers",
        ),
        (
            with_test(conformal=SETS | {"coverage": LOW}),
            "calibration",
            "Sets of answers hold the right one too seldom, 0.9 is right: all images 0.700 (0.600",
        ),
        (
            with_test(conformal=SETS | {"classes": {"a": {"coverage": LOW}}}),
            "calibration",
            "Sets of answers hold the right one too seldom, 0.9 is right: a 0.700 (0.600 to 0.800)",
        ),
        (
            {"metrics": FACTS["metrics"] | {"external": TEST | {"auroc": LOW}}},
            "external",
            "AUROC on external 0.700 (0.600 to 0.800) is far below that on test",
        ),
        (
            {"audit": FACTS["audit"] | {"likely_errors": 3, "splits": {}}},
            "errors",
            "3 of 60 labels may be wrong, 0 of them in test, by features whose own AUROC is 0.900",
        ),
        (
            {"compression": FACTS["compression"] | {"serves": "int8.onnx"}},
            "package",
            "With the int8 file that serves, 50.0% of the answers on test change",
        ),
    ],
)
def test_what_is_wrong_is_told_in_its_section(floors, wrong, section, told):
    ((where, lines),) = concerns.find(FACTS | wrong, floors, 0.9).items()
    assert where == section
    assert len(lines) == 1
    assert lines[0].startswith(told)
