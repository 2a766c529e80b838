"""The sections of the report."""

from __future__ import annotations

import re

from worlds import report as world
from worlds.report import (
    ALL,
    AUDIT,
    CALIBRATED,
    INTERVAL,
    PICTURE,
    RECEIPT,
    SPLIT,
    UNKNOWN,
    first_page,
    page,
)

from tasks.common import documents, editing, paths


def test_a_package_without_int8_shows_its_one_file(before_report):
    told = {name: world.COMPRESSION[name] for name in ("calibration_images", "files")}
    alone = {"serves": "float.onnx", "reason": "int8 could not be made"}
    documents.write_json(paths.COMPRESSION, told | alone)
    html = page()
    assert "<b>float.onnx</b>" in html
    assert "int8 could not be made." in html
    assert "What int8 changes" not in html
    assert "int8" not in first_page(html)


def test_sets_of_answers_are_told_with_what_they_assume(before_report):
    html = page()
    assert "for 90.0% of the images of each class" in html
    assert "On test it was in a share of 0.958 (0.900 to 0.980), with 1.250" in html
    assert "could change places with those of val" in html
    assert "Sets by sex, test" in html


def test_robustness_is_told_with_the_sample_it_was_measured_on(before_report):
    html = page()
    assert "41 of the test images, of 20 patients" in html
    assert "<h3>JPEG</h3>" in html
    assert "Called otherwise" in html
    assert "0.062 (0.020 to 0.100)" in html


def test_arrival_batches_are_listed_by_their_number(before_report):
    split = SPLIT | {"slices": {"batch": {"0": ALL, "1": ALL | {"auroc": UNKNOWN}}}}
    documents.write_json(paths.METRICS, {"test": split, "val": split})
    listed = re.search(r"<h3>Arrival batch, test</h3>.*?</table>", page(), re.DOTALL)
    assert re.findall(r'role="rowheader">(\w+)<', listed[0]) == ["0", "1"]


def test_the_rule_of_the_operating_point_is_said_in_words(before_report):
    together = "(sensitivity and specificity together as high as val can tell)"
    assert f"by the rule <b>youden</b> {together}" in page()
    point = documents.read_json(paths.OPERATING_POINT)
    documents.write_json(paths.OPERATING_POINT, point | {"rule": "sensitivity"})
    assert "by the rule <b>sensitivity</b> (at least 0.9)" in page()


def test_recalibration_stands_with_what_it_changes(before_report):
    html = page()
    told = (
        "Fitted on val, a temperature of <b>1.523</b> makes the scores of test less sure, and a "
        "shift of their logits by <b>-0.250</b> lowers them. AUROC and"
    )
    assert told in html
    (row,) = re.findall(r">Calibration slope</th>(.*?)</tr>", html)
    assert row.count("0.958 (0.900 to 0.980)") == 3
    surer = (
        "makes the scores of test surer, and a shift of their logits by <b>+0.500</b> raises them"
    )
    for degree, shift, words in (
        (0.8, 0.5, surer),
        (1.0, 0.5, "as sure as they are, and a shift of their logits by <b>+0.500</b> raises them"),
        (1.0, 0.0, "leaves the scores of test as they are"),
    ):
        split = SPLIT | {"calibrated": CALIBRATED | {"temperature": degree, "shift": shift}}
        documents.write_json(paths.METRICS, {"test": split, "val": split})
        assert f"{words}. AUROC and predictions" in page()


def test_without_fine_tuning_only_the_head_phase_is_drawn(before_report):
    paths.HISTORY.write_text("epoch,loss,val_loss,val_auroc\n")
    html = page()
    assert "Head phase" in html
    assert "Fine-tune phase" not in html


def test_classes_of_a_multiclass_task_are_listed(before_report):
    editing.set_values(paths.PARAMS, {"task.kind": "multiclass", "task.classes": ["a", "b", "c"]})
    classes = {name: ALL | {"positives": 20} for name in "abc"}
    slopes = {name: {"calibration_slope": INTERVAL} for name in "abc"}
    split = SPLIT | {"classes": classes, "calibrated": CALIBRATED | {"temperature": 2.0}}
    split["calibrated"] |= {"classes": slopes}
    documents.write_json(paths.METRICS, {"test": split, "val": split})
    documents.write_json(
        paths.OPERATING_POINT, {"rule": "argmax", "target": 0.9, "thresholds": None}
    )
    html = page()
    assert "By class, test" in html
    shown = re.search(r'aria-label="Calibration by class".*?</table>', html, re.DOTALL)
    assert re.findall(r'role="rowheader">(\w+)<', shown[0]) == ["a", "b", "c"]
    assert '<td role="cell" data-label="Prevalence"><span>33.3%</span>' in html
    assert "class with the highest score" in html
    assert "Which of <b>a, b, c</b> an image shows." in first_page(html)
    assert "accuracy at half" not in html
    assert "the mean over the classes is shown" in html
    assert "operating point is" not in html
    assert "weights, the recalibration and the sets" in html


def test_external_images_stand_apart_beside_test(before_report):
    assert "None was made: how the model does elsewhere is not known" in page()
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
    assert "None was made" not in html
    small = others | {"judged": False, "patients_with": 4}
    documents.write_json(paths.METRICS, {"test": SPLIT, "val": SPLIT, "external": small})
    assert "External is too small to judge" in page()


def test_faults_are_counted_by_reason(before_report):
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"faults": {"too dark: its mean": 14}})
    assert "<li>14: too dark: its mean</li>" in page()


def test_folds_are_listed(before_report):
    assert "folds" not in page()
    folds = {f"fold {k}": RECEIPT["splits"]["val"] for k in range(5)}
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"folds": folds, "fold": 3})
    assert "5 folds; fold 3 is val here" in page()


def test_expectations_stand_with_their_limits(before_report):
    html = page()
    assert "All 1 expectations hold" in html
    assert "2 or more" in html
    assert "There is one batch only" in html
    assert "All images are alike in this" in html


def test_likely_label_errors_are_shown_where_there_are_any(before_report):
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


def test_patients_are_counted_in_one_place_and_groups_are_called_groups(before_report):
    """Metrics count what intervals rest on: patients who share a picture as one."""
    sides = {name: side | {"patients": 25} for name, side in RECEIPT["splits"].items()}
    copies = RECEIPT["duplicates"] | {"patients_joined_to_another": 5}
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"splits": sides, "duplicates": copies})
    html = page()
    assert "20 patients" not in html
    assert "60 test images of 25 patients" in first_page(html)
    assert "of 20 groups, were scored once more" in html
    assert '<td role="cell" data-label="Groups"><span>20</span>' in html


def test_zeros_take_one_line(before_report):
    html = page()
    assert "What two sides share" not in html
    assert "No two sides share a patient or a picture" in html
    shared = {"train and test": {"patients": 2, "groups": 2, "duplicates": 0}}
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"shared": shared})
    assert "What two sides share" in page()


def test_the_flow_accounts_for_every_image(before_report):
    flow = re.search(r'<ol class="flow">.*?</ol>', page(), re.DOTALL)[0]
    text = re.sub(r"<[^>]+>", "", flow)
    assert re.findall(r"\d+", text)[:4] == ["561", "2", "1", "560"]
    assert "1 not readable" in text
