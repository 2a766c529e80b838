from __future__ import annotations

import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from worlds.word_list import require_listed

from tasks import report
from tasks.common import documents, editing, paths
from tasks.pictures.page import own_text

INTERVAL = {"value": 0.95812, "low": 0.9, "high": 0.98}
UNKNOWN = {"value": None, "low": None, "high": None}
SEXES = {"F": {"auroc": INTERVAL, "images": 30}, "M": {"auroc": UNKNOWN, "images": 30}}
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
STEPS = {"auroc": INTERVAL, "changed": INTERVAL | {"value": 0.0625}}
WORSE = {kind: {"1": STEPS, "2": STEPS} for kind in ("noise", "contrast", "jpeg")}
SPLIT = ALL | {
    "robustness": {"images": 41, "patients": 20, "judged": True, "auroc": INTERVAL} | WORSE,
    "conformal": SETS,
    "calibration_slope": INTERVAL,
    "calibrated": CALIBRATED | {"temperature": 1.52345},
    "per_patient": ALL | {"images": 26},
    "slices": {
        "sex": {"F": {"auroc": INTERVAL, "images": 30}, "M": {"auroc": UNKNOWN, "images": 30}}
    },
}
FIGURES = [paths.FIGURES / f"{name}.png" for name in (*report.FIGURES, "robustness")]
COUNTS = {"images": 60, "patients": 20, "classes": {"no_nodule": 30, "nodule": 30}}
RECEIPT = {
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
    "duplicates": {"pairs_between_patients": 3, "too_flat_to_compare": 0},
}
EXPECTATION = {
    "says": "Images show something",
    "table": "usable_images",
    "severity": "critical",
    "limits": {"min_value": 2},
    "held": True,
}
AUDIT = {
    "judged": True,
    "features_auroc": 0.91234,
    "least_auroc": 0.8,
    "images": 60,
    "likely_errors": 0,
    "splits": {"train": {"images": 60, "likely_errors": 0}},
}
PICTURE = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()


@pytest.fixture
def made(workspace):
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
    neighbours = [entry | {"neighbours": ["abc"]}]
    drawn = {"examples": examples, "neighbours": neighbours, "features": features}
    documents.write_json(paths.EXPLAIN / "index.json", drawn)
    documents.write_json(paths.EXPLANATIONS, {"method": "gradcam", "classes": {}})
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


def test_sets_of_answers_are_told_with_what_they_assume(made):
    html = page()
    assert "for 90.0% of the images of each class" in html
    assert "On test it was in a share of 0.958 (0.900 to 0.980), with 1.250" in html
    assert "could change places with those of val" in html
    assert "Sets by sex, test" in html


def test_robustness_is_told_with_the_sample_it_was_measured_on(made):
    html = page()
    assert "41 of the test images, of 20 patients" in html
    assert "<h4>JPEG</h4>" in html
    assert "Called otherwise" in html
    assert "0.062 (0.900 to 0.980)" in html


def test_arrival_batches_are_listed_by_their_number(made):
    split = SPLIT | {"slices": {"batch": {"0": {"auroc": INTERVAL}, "1": {"auroc": UNKNOWN}}}}
    documents.write_json(paths.METRICS, {"test": split, "val": split})
    assert re.search(
        r"<h3>Arrival batch, test</h3>\s*<div class=.scroll.><table>.*<th>1</th>", page(), re.DOTALL
    )


def test_the_temperature_stands_with_what_it_changes(made):
    html = page()
    assert (
        "A temperature of <b>1.523</b>, fitted on val, makes the scores of test less sure" in html
    )
    assert re.findall(r"<tr><th>Calibration slope</th>(<td>[^<]+</td>){4}</tr>", html)
    for degree, words in ((0.8, "test surer"), (1.0, "test neither surer nor less sure")):
        split = SPLIT | {"calibrated": CALIBRATED | {"temperature": degree}}
        documents.write_json(paths.METRICS, {"test": split, "val": split})
        assert f"makes the scores of {words}." in page()


def test_synthetic_images_are_said_to_be_synthetic(made):
    assert "synthetic" in page()
    editing.set_values(paths.PARAMS, {"pull.source": "folder", "pull.path": "/home/someone/scans"})
    html = page()
    assert "synthetic" not in html
    assert "/home/someone" not in html


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(made):
    html = page()
    sources = re.findall(r'(?:src|href)="(.{0,30})', html)
    assert len(sources) == 12
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<script" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_text_from_the_data_is_escaped(made):
    editing.set_values(paths.PARAMS, {"task.classes": ["well", "<script>"]})
    html = page()
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_its_words_are_its_own_listed_or_from_the_data(made):
    without_pictures = re.sub(r"base64,[^\"]+", "", page())
    require_listed(without_pictures, known=own_text() + " nodule")


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
    editing.set_values(paths.PARAMS, {"task.kind": "multiclass", "task.classes": ["a", "b", "c"]})
    classes = {name: {"auroc": INTERVAL, "positives": 20} for name in "abc"}
    slopes = {name: {"calibration_slope": INTERVAL} for name in "abc"}
    split = SPLIT | {"classes": classes, "calibrated": CALIBRATED | {"temperature": 2.0}}
    split["calibrated"] |= {"classes": slopes}
    documents.write_json(paths.METRICS, {"test": split, "val": split})
    documents.write_json(
        paths.OPERATING_POINT, {"rule": "argmax", "target": 0.9, "thresholds": None}
    )
    html = page()
    assert "By class, test" in html
    assert re.search(r"<tr><th></th><th>Calibration slope</th></tr>\s*<tr><th>a</th>", html)
    assert "class with the highest score" in html


def test_patients_on_two_sides_are_no_secret(made):
    assert "stand on two sides" not in page()
    leak = {
        "patients_on_two_sides": 170,
        "images_of_patients_on_two_sides": 770,
        "on_leak": "report",
    }
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | leak)
    assert "170 patients (770 images) stand on two sides of the split" in page()
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | leak | {"pictures_on_two_sides": 3})
    assert "170 patients (770 images) and 3 pairs of the same picture stand on two sides" in page()
    dropped = {"on_leak": "drop", "dropped": {"train": COUNTS | {"images": 453}}}
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | leak | dropped)
    html = page()
    assert "stand on two sides" not in html
    assert "What leaks cost each side" in html
    assert "453" in html
    assert "770 images): what is on the earlier side is quarantined</td>" in html
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | leak | dropped | {"dropped_from_batch": 2})
    assert "quarantined, from batch 2 on; before it all went to one side</td>" in page()


def test_a_test_far_below_val_is_said_before_any_figure(made):
    assert "far below" not in page()
    test = {"value": 0.854, "low": 0.83, "high": 0.88}
    val = {"value": 0.985, "low": 0.97, "high": 0.99}
    metrics = {"test": SPLIT | {"auroc": test}, "val": SPLIT | {"auroc": val}}
    documents.write_json(paths.METRICS, metrics)
    told = "AUROC on test 0.854 (0.830 to 0.880) is far below that on val 0.985 (0.970 to 0.990)"
    html = page()
    assert html.index(told) < html.index('<div class="tiles">')


def test_external_images_stand_apart_beside_test(made):
    assert "External test set" not in page()
    editing.set_values(
        paths.PARAMS, {"evaluate.external": {"source": "folder", "path": "/data/Smith"}}
    )
    auroc = {"value": 0.776, "low": 0.74, "high": 0.81}
    others = SPLIT | {"auroc": auroc, "left_out": {"copies": 3, "unusable": 2}}
    others = {name: value for name, value in others.items() if name not in ("slices", "robustness")}
    documents.write_json(paths.METRICS, {"test": SPLIT, "val": SPLIT, "external": others})
    html = page()
    assert "AUROC on external 0.776 (0.740 to 0.810) is far below that on test 0.958" in html
    assert "<b>60</b> of 20 patients" in html
    assert "3 that are copies" in html
    assert "Smith" not in html
    assert html.index('<div class="tiles">') < html.index("External test set")
    small = others | {"judged": False, "patients_with": 4}
    documents.write_json(paths.METRICS, {"test": SPLIT, "val": SPLIT, "external": small})
    assert "External is too small to judge" in page()


def test_a_test_too_small_to_judge_is_said_before_any_figure(made):
    assert "too small to judge" not in page()
    test = SPLIT | {"judged": False, "patients_with": 4}
    documents.write_json(paths.METRICS, {"test": test, "val": SPLIT})
    html = page()
    told = (
        "too small to judge: required are 10 patients with the finding and 10 without, it has 4 and"
    )
    assert html.index(told) < html.index('<div class="tiles">')


def test_faults_are_counted_by_reason(made):
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"faults": {"too dark: its mean": 14}})
    assert "<td>14: too dark: its mean</td>" in page()


def test_images_without_a_patient_are_said_loudly(made):
    assert "patient id" not in page()
    for without, words in {
        560: "No image has",
        9: "9 of 560 images have no",
        1: "1 image has no",
    }.items():
        documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"images_without_patient_id": without})
        assert f'<p class="notice"><strong>{words} patient id</strong>: each counts' in page()


def test_folds_are_listed(made):
    assert "folds" not in page()
    folds = {f"fold {k}": RECEIPT["splits"]["val"] for k in range(5)}
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"folds": folds, "fold": 3})
    assert "5 folds; fold 3 is val here" in page()


def test_expectations_stand_with_their_limits(made):
    html = page()
    assert "All 1 expectations hold" in html
    assert "2 or more" in html
    assert "There is one batch only" in html
    assert "All images are alike in this" in html


def test_warnings_drift_and_shortcuts_are_told(made):
    warning = {"says": "<b>no</b> drift", "found": "1 rows: site", "fix": "look", "table": "drift"}
    broken = EXPECTATION | {"held": False, "severity": "warning"}
    documents.write_json(paths.VALIDATION, {"warnings": [warning], "expectations": [broken]})
    counts = {"images": 20, "patients": 8, "images_before": 40, "patients_before": 9}
    drifted = {"before": "north: 40.0%", "after": "north: 0.0%", "effect": 1.37, "size": "large"}
    documents.write_json(
        paths.DRIFT,
        {
            **{"compared": {"batch": 1, **counts}, "limit": 0.5, "by_field": {"site": drifted}},
            "sides": {"test against train": counts | {"images": 21, "by_field": {"sex": drifted}}},
        },
    )
    told = {"all at once": {"auroc": 0.81, "chance": 0.6}}
    documents.write_json(paths.SHORTCUTS, {"limit": 0.6, "by_field": told})
    html = page()
    for words in (
        *("&lt;b&gt;no&lt;/b&gt; drift", "1 rows: site"),
        *("20 images of 8 patients", "north: 40.0%", "1.37", "large"),
        "Test against train: 21 images of 8 patients against 40 images of 9 patients",
        *("all at once", "0.81"),
    ):
        assert words in html


def test_likely_label_errors_are_shown_where_there_are_any(made):
    assert "None of the 60 labels looks wrong" in page()
    (paths.AUDIT / "gallery.png").write_bytes(PICTURE)
    documents.write_json(paths.AUDIT / "summary.json", AUDIT | {"likely_errors": 3})
    html = page()
    assert "3 of 60 labels may be wrong" in html
    assert "AUROC of 0.912" in html
    documents.write_json(paths.AUDIT / "summary.json", AUDIT | {"features_auroc": 0.7})
    assert "No label is doubted" in page()
    nothing = {"judged": False, "features_auroc": None}
    documents.write_json(paths.AUDIT / "summary.json", AUDIT | nothing)
    assert "Not judged" in page()


FIGURE = {"value": 0.32, "low": 0.22, "high": 0.44}
TESTED = {
    "beats_chance": False,
    "follows_weights": True,
    "by_masks": {
        "images": 60,
        "patients": 60,
        "pointing": FIGURE,
        "pointing_by_chance": 0.3,
        "energy": FIGURE,
        "energy_by_chance": 0.1,
    },
    "by_scores": {
        "deletion": FIGURE,
        "insertion": FIGURE,
        "mean": FIGURE | {"low": -0.1},
        "shuffled_correlation": FIGURE,
    },
}


def test_heatmaps_that_do_not_beat_chance_are_told_before_all_figures(made):
    blind = TESTED | {"by_masks": None, "follows_weights": False}
    few = blind | {"beats_chance": None, "follows_weights": None, "by_scores": None}
    classes = {"benign": TESTED, "malignant": blind, "normal": few}
    documents.write_json(paths.EXPLANATIONS, {"method": "gradcam", "classes": classes})
    top, below = page().split('<div class="tiles">')
    assert "Heatmaps of benign do not beat chance: they hit the finding in a share of " in top
    assert "0.320 (0.220 to 0.440) of the images, a point anywhere does in 0.300" in top
    assert "moves the score no more than other places do, by 0.320 (-0.100 to 0.440)" in top
    assert "Heatmaps of malignant stay when the weights are shuffled" in top
    assert "normal" not in top
    assert "too few to tell" in below
