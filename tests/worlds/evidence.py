"""What the report knows of a run: the facts that checklists and change protocol are filled from."""

from __future__ import annotations

from typing import Any

from tasks.common.params.whole import Params
from tasks.evidence.owner import Heading
from tasks.report import settings_content

UNKNOWN = {"value": None, "low": None, "high": None}
NOBODY = dict.fromkeys(Heading, "")


def between(low: float, value: float, high: float) -> dict[str, float]:
    """A value with its interval, as `reports/metrics.json` has it."""
    return {"value": value, "low": low, "high": high}


AUROC = between(0.9426, 0.9909, 0.9986)
WORSE = {"5": {"auroc": between(0.9, 0.98, 0.99)}, "20": {"auroc": between(0.8, 0.9478, 0.98)}}
TEST = {
    "auroc": AUROC,
    "sensitivity": between(0.703, 64 / 73, 0.955),
    "specificity": between(0.895, 111 / 112, 0.999),
    "ppv": between(0.847, 0.9846, 0.999),
    "npv": between(0.801, 0.925, 0.974),
    "images": 185,
    "patients": 48,
    "positives": 73,
    "patients_with": 23,
    "patients_without": 35,
    "judged": True,
    "slices": {
        "sex": {
            "F": {"auroc": UNKNOWN | {"value": 0.9788}},
            "M": {"auroc": between(0.9, 0.9986, 1.0)},
        },
        "slice_ward": {"north": {"auroc": between(0.8, 0.91, 1.0)}},
        "batch": {"0": {"auroc": between(0.1, 0.2, 0.3)}},
    },
    "robustness": {"images": 58, "auroc": AUROC, "noise": WORSE, "contrast": {}, "jpeg": {}},
    "conformal": {"coverage": between(0.86, 0.9297, 0.966), "size": between(0.95, 0.973, 1.0)},
}
COUNTS = {"images": 148, "patients": 36, "classes": {"no_nodule": 92, "nodule": 56}}
RECEIPT = {
    "splits": {
        "train": COUNTS | {"images": 625, "patients": 156},
        "val": COUNTS,
        "test": {"images": 185, "patients": 48, "classes": {"no_nodule": 112, "nodule": 73}},
    },
    "images": 958,
    "patients": 240,
    "flow": {"pulled": 961, "left_out": {"not_readable": 1, "of_no_use": 2}, "used": 958},
    "table_one": {"sex": {"F": {"train": 300, "val": 70, "test": 90}}, "slice_ward": {}},
    "images_without_patient_id": 0,
    "sides_from_source": [],
    "on_leak": "fail",
    "patients_on_two_sides": 0,
    "images_of_patients_on_two_sides": 0,
    "pictures_on_two_sides": 0,
}
TRAINING = {
    "start": None,
    "kept": "fine_tune",
    "cut_layer": "block11_expand_conv",
    "best_epoch": 4,
    "val_auroc": 0.985443,
    "backend": "tensorflow",
    "parameters": 3414305,
}
HEATMAPS = {"beats_chance": True, "follows_weights": True, "by_masks": None, "by_scores": None}
FILES: dict[str, Any] = {
    "receipt": RECEIPT,
    "units": "patients",
    "drift": {"limit": 0.5},
    "shortcuts": {"limit": 0.6},
    "training": TRAINING,
    "metrics": {"test": TEST, "val": {"auroc": between(0.94, 0.9854, 0.99)}},
    "point": {"rule": "youden", "target": 0.9, "thresholds": {"nodule": 0.4846}},
    "explanations": {"method": "gradcam", "classes": {"nodule": HEATMAPS}},
    "audit": {"judged": True, "images": 958, "likely_errors": 13},
    "compression": {"serves": "int8.onnx"},
    "alarms": [],
    "concerns": {},
}


def facts(params: Params, **other: Any) -> dict[str, Any]:
    """Of a run with these parameters; `other` takes the place of a file."""
    return settings_content(params) | FILES | other


def with_test(**other: Any) -> dict[str, Any]:
    """`metrics` in which test has these values."""
    for_test: dict[str, Any] = TEST | other
    for_test["conformal"] = TEST["conformal"]
    return FILES["metrics"] | {"test": for_test}
