"""What the stages before `report` leave, as small as it gets."""

from __future__ import annotations

import cv2
import numpy as np

from tasks import report
from tasks.common import documents, editing, paths
from tasks.reporting import content

INTERVAL = {"value": 0.95812, "low": 0.9, "high": 0.98}
UNKNOWN = {"value": None, "low": None, "high": None}
ALL = {
    **dict.fromkeys(
        ("loss", "accuracy", "brier", "ece", "auroc", "auprc", "sensitivity", "specificity"),
        INTERVAL,
    ),
    "images": 60,
    "patients": 20,
    "positives": 30,
    "patients_with": 12,
    "patients_without": 14,
    "judged": True,
}
CALIBRATED = dict.fromkeys(("ece", "brier", "loss", "calibration_slope"), INTERVAL)
SET = {"coverage": INTERVAL, "size": INTERVAL | {"value": 1.25}, "images": 60, "judged": True}
SETS = SET | {"classes": {"no_nodule": SET, "nodule": SET}, "slices": {"sex": {"F": SET, "M": SET}}}
STEPS = {"auroc": INTERVAL, "changed": {"value": 0.0625, "low": 0.02, "high": 0.1}}
WORSE = {kind: {"1": STEPS, "2": STEPS} for kind in ("noise", "contrast", "jpeg")}
SPLIT = ALL | {
    "robustness": {"images": 41, "patients": 20, "judged": True, "auroc": INTERVAL} | WORSE,
    "conformal": SETS,
    "calibration_slope": INTERVAL,
    "calibrated": CALIBRATED | {"temperature": 1.52345, "shift": -0.25},
    "per_patient": ALL | {"images": 26},
    "slices": {"sex": {"F": ALL | {"images": 30}, "M": ALL | {"auroc": UNKNOWN, "images": 30}}},
}
FIGURES = [paths.FIGURES / f"{name}.png" for name in content.FIGURES]
COUNTS = {"images": 60, "patients": 20, "groups": 20, "classes": {"no_nodule": 30, "nodule": 30}}
ONE = {"F": {"train": 250, "val": 30, "test": 30}, "M": {"train": 190, "val": 30, "test": 20}}
RECEIPT = {
    "flow": {"pulled": 561, "left_out": {"not_readable": 1}, "used": 560},
    "table_one": {"sex": ONE},
    "splits": {"train": COUNTS | {"images": 440}, "val": COUNTS, "test": COUNTS},
    "shared": {"train and test": {"patients": 0, "groups": 0, "duplicates": 0}},
    "folds": {},
    "fold": None,
    "images": 560,
    "quarantined": 1,
    "patients": 60,
    "images_without_patient_id": 0,
    "batches": 2,
    "sides_from_source": ["train", "test"],
    "on_leak": "fail",
    "dropped_from_batch": 0,
    "dropped": {},
    "faults": {},
    "patients_on_two_sides": 0,
    "images_of_patients_on_two_sides": 0,
    "pictures_on_two_sides": 0,
    "duplicates": {"pairs_between_patients": 3, "patients_joined_to_another": 0},
}
WARNING = {
    "says": "No drift",
    "found": "1 rows: site",
    "fix": "look",
    "table": "drift",
    "report": None,
}
EXPECTATION = {
    "says": "Images show something",
    "table": "usable_images",
    "severity": "critical",
    "limits": {"min_value": 2},
    "held": True,
}
TRAINING = {"kept": "head", "best_epoch": 2, "val_auroc": 0.97, "cut_layer": "last"}
TRAINING |= {"backend": "jax", "parameters": 1234, "start": None}
AUDIT = {
    "judged": True,
    "features_auroc": 0.91234,
    "least_auroc": 0.8,
    "images": 60,
    "likely_errors": 0,
    "splits": {"train": {"images": 60, "likely_errors": 0}},
}
TRAINING = {"kept": "head", "best_epoch": 2, "val_auroc": 0.97, "cut_layer": "last"}
TRAINING |= {"backend": "jax", "parameters": 1234, "start": None}
INT8 = {"images": 60, "auroc_difference": INTERVAL, "changed": 0.05}
HEAT = dict.fromkeys(("deletion", "insertion", "mean", "shuffled_correlation"), INTERVAL)
HEAT |= {"images": 10, "patients": 10}
HEATMAPS = {"beats_chance": True, "follows_weights": True, "by_masks": None, "by_scores": None}
COMPRESSION = {
    "serves": "int8.onnx",
    "reason": "int8 stays within the limits",
    "calibration_images": 8,
    "int8_layers_in_float": ["Conv_6"],
    "files": {"float.onnx": {"bytes": 13_422_090, "temperature": 1.0, "shifts": [-0.25]}},
    "int8": {"val": INT8, "test": INT8},
}
PICTURE = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()


LONG = "Sankt-Elisabeth-Universitätsklinikum_Nord-3"


def write() -> None:
    """What the stages before report wrote."""
    editing.set_values(paths.PARAMS, {"deid.key_id": "0123456789abcdef"})
    documents.write_json(paths.METRICS, {"test": SPLIT, "val": SPLIT})
    documents.write_json(
        paths.OPERATING_POINT, {"rule": "youden", "target": 0.9, "thresholds": {"nodule": 0.41234}}
    )
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT)
    documents.write_json(paths.VALIDATION, {"warnings": [], "expectations": [EXPECTATION]})
    documents.write_json(paths.DRIFT, {"compared": {}, "limit": 0.5, "by_field": {}, "sides": {}})
    documents.write_json(paths.SHORTCUTS, {"limit": 0.6, "by_field": {}})
    documents.write_json(paths.AUDIT / "summary.json", AUDIT)
    documents.write_json(paths.TRAINING, TRAINING)
    documents.write_json(paths.COMPRESSION, COMPRESSION)
    entry = {
        "file": "a.png",
        "label": "nodule",
        "predicted": "no",
        "image_id": "12345678abcdef",
        "right": False,
    }
    examples = [
        entry | {"scored": "nodule", "score": 0.2, "right": right} for right in (True, False)
    ]
    features = [{"file": "a.png", "layer": "stem", "shape": [1, 1, 1]}]
    neighbours = [entry | {"neighbours": ["abc"]}]
    drawn = {"examples": examples, "neighbours": neighbours, "features": features}
    documents.write_json(paths.EXPLAIN / "index.json", drawn)
    documents.write_json(paths.EXPLANATIONS, {"method": "gradcam", "classes": {"nodule": HEATMAPS}})
    for path in (paths.EXPLAIN / "a.png", *FIGURES, paths.CONTACT_SHEET):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    for path in (paths.HEAD_HISTORY, paths.HISTORY):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("epoch,loss,val_loss,val_auroc\n1,0.7,0.8,0.9\n2,0.6,0.7,0.95\n")


def write_every_part() -> None:
    """The same with all that a report can have to say, and names that are long."""
    write()
    weak = ALL | {"sensitivity": {"value": 0.364, "low": 0.0, "high": 1.0}, "images": 24}
    classes = dict.fromkeys(("no_nodule", "nodule", LONG), ALL)
    low = {"value": 0.7, "low": 0.6, "high": 0.8}
    slopes = {name: {"calibration_slope": low} for name in classes}
    worse = SPLIT["robustness"] | {"noise": {"20": STEPS | {"auroc": low}}}
    calibrated = CALIBRATED | {"temperature": 1.5, "classes": slopes}
    slices = {"site": {LONG: weak, "south": ALL}, "batch": {"0": ALL, "1": ALL}}
    others = SPLIT | {"left_out": {"copies": 3, "unusable": 2}, "calibrated": calibrated}
    test = SPLIT | {"classes": classes, "slices": slices, "calibrated": calibrated}
    test |= {"robustness": worse}
    found = {"test": test, "val": SPLIT, "external": others | {"classes": classes}}
    documents.write_json(paths.METRICS, found)
    broken = EXPECTATION | {"held": False, "severity": "warning"}
    documents.write_json(paths.VALIDATION, {"warnings": [WARNING], "expectations": [broken]})
    counts = {"images": 20, "patients": 8, "images_before": 40, "patients_before": 9}
    drifted = {"before": f"{LONG}: 40.0%", "after": "0.0%", "effect": 1.37, "size": "large"}
    newest = {"compared": {"batch": 1, **counts}, "limit": 0.5, "by_field": {"site": drifted}}
    sides = {"test against train": counts | {"by_field": {"sex": drifted}}}
    documents.write_json(paths.DRIFT, newest | {"sides": sides})
    told = {"all at once": {"auroc": 0.81, "chance": 0.6}}
    documents.write_json(paths.SHORTCUTS, {"limit": 0.6, "by_field": told})
    leaks = {"on_leak": "report", "dropped": {"train": COUNTS}, "patients_on_two_sides": 2}
    leaks |= {"images_without_patient_id": 9}
    folds = {"folds": {f"fold {k}": COUNTS for k in range(3)}, "fold": 1, "faults": {"too dark": 4}}
    shared = {"shared": {"train and test": {"patients": 2, "groups": 2, "duplicates": 0}}}
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | leaks | folds | shared)
    blind = HEATMAPS | {"beats_chance": False, "follows_weights": False, "by_scores": HEAT}
    documents.write_json(paths.EXPLANATIONS, {"method": "gradcam", "classes": {"nodule": blind}})
    (paths.AUDIT / "gallery.png").write_bytes(PICTURE)
    documents.write_json(paths.AUDIT / "summary.json", AUDIT | {"likely_errors": 3})


def page() -> str:
    """The page that the stage makes of them."""
    report.main()
    return paths.REPORT.read_text(encoding="utf-8")


def first_page(html: str) -> str:
    """What stands above the contents."""
    return html.partition("<nav")[0]
