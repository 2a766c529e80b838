from __future__ import annotations

import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from tasks import documents, edit, paths, report

INTERVAL = {"value": 0.95812, "low": 0.9, "high": 0.98}
UNKNOWN = {"value": None, "low": None, "high": None}
SEXES = {"F": {"auroc": INTERVAL, "images": 30}, "M": {"auroc": UNKNOWN, "images": 30}}
SPLIT = {
    **dict.fromkeys(
        ("loss", "accuracy", "brier", "ece", "auroc", "auprc", "sensitivity", "specificity"),
        INTERVAL,
    ),
    "images": 60,
    "patients": 20,
    "positives": 30,
    "slices": {
        "sex": {"F": {"auroc": INTERVAL, "images": 30}, "M": {"auroc": UNKNOWN, "images": 30}}
    },
}
FIGURES = [paths.FIGURES / f"{name}.png" for name in report.FIGURES]
PICTURE = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()


@pytest.fixture
def made(workspace):
    """What the stages before report wrote."""
    edit.set_values(paths.PARAMS, {"deid.key_id": "0123456789abcdef"})
    documents.write_json(paths.METRICS, {"test": SPLIT, "val": SPLIT})
    documents.write_json(
        paths.OPERATING_POINT, {"rule": "youden", "target": 0.9, "thresholds": {"nodule": 0.41234}}
    )
    documents.write_json(paths.SPLIT_RECEIPT, {"train": {"images": 500}, "test": {"images": 60}})
    documents.write_json(paths.VALIDATION, {"success": True, "digest": "abc"})
    documents.write_json(paths.TRAINING, {"kept": "head", "best_epoch": 2, "val_auroc": 0.97})
    documents.write_json(paths.COMPRESSION, {"float_auroc": 0.95, "int8_auroc": None})
    entry = {
        "file": "a.png",
        "label": "nodule",
        "predicted": "no",
        "image_id": "12345678abcdef",
        "right": False,
    }
    examples = [entry | {"scored": "nodule", "score": 0.2}]
    features = [{"file": "a.png", "layer": "stem", "shape": [1, 1, 1]}]
    documents.write_json(paths.EXPLAIN / "index.json", {"examples": examples, "features": features})
    for path in (paths.EXPLAIN / "a.png", *FIGURES, paths.CONTACT_SHEET):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    for path in (paths.HEAD_HISTORY, paths.HISTORY):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("epoch,loss,val_loss,val_auroc\n1,0.7,0.8,0.9\n2,0.6,0.7,0.95\n")


def page() -> str:
    report.main()
    return paths.REPORT.read_text(encoding="utf-8")


def test_the_page_says_what_was_found(made):
    html = page()
    assert "0.958" in html
    assert "(0.900 to 0.980)" in html
    assert "0.412" in html
    assert "Research use only; not a medical device." in html
    assert "EfficientNetLite0" in html
    assert "Sex, test" in html


def test_synthetic_images_are_said_to_be_synthetic(made):
    assert "synthetic" in page()
    edit.set_values(paths.PARAMS, {"pull.source": "folder", "pull.path": "/home/someone/scans"})
    html = page()
    assert "synthetic" not in html
    assert "/home/someone" not in html


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(made):
    html = page()
    sources = re.findall(r'(?:src|href)="(.{0,30})', html)
    assert len(sources) == 9
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<script" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_text_from_the_data_is_escaped(made):
    edit.set_values(paths.PARAMS, {"task.classes": ["well", "<script>"]})
    html = page()
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_tags_are_balanced(made):
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img"):
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Checker().feed(page())
    assert open_tags == []


def test_the_same_content_gives_the_same_bytes(made):
    assert page() == page()


def test_without_fine_tuning_only_the_head_phase_is_drawn(made):
    paths.HISTORY.write_text("epoch,loss,val_loss,val_auroc\n")
    html = page()
    assert "Head phase" in html
    assert "Fine-tune phase" not in html


def test_classes_of_a_multiclass_task_are_listed(made):
    edit.set_values(paths.PARAMS, {"task.kind": "multiclass", "task.classes": ["a", "b", "c"]})
    classes = {name: {"auroc": INTERVAL, "positives": 20} for name in "abc"}
    split = SPLIT | {"classes": classes}
    documents.write_json(paths.METRICS, {"test": split, "val": split})
    documents.write_json(
        paths.OPERATING_POINT, {"rule": "argmax", "target": 0.9, "thresholds": None}
    )
    html = page()
    assert "By class, test" in html
    assert "class with the highest score" in html


def test_patients_on_two_sides_are_no_secret(made):
    assert "stand on two sides" not in page()
    documents.write_json(paths.SPLIT_RECEIPT, {"patients_on_two_sides": 170, "on_leak": "report"})
    assert "170 patients stand on two sides of the split" in page()
