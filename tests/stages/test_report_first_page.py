"""What the first page tells a promoter before any other figure."""

from __future__ import annotations

from worlds.report import (
    ALL,
    CALIBRATED,
    COMPRESSION,
    COUNTS,
    EXPECTATION,
    RECEIPT,
    SPLIT,
    UNKNOWN,
    WARNING,
    first_page,
    page,
)

from tasks.common import documents, editing, paths
from tasks.pictures import fonts


def test_no_interval_is_named_where_none_is_shown(before_report):
    assert "in brackets 95% intervals" in first_page(page())
    split = SPLIT | {"judged": False, "patients_with": 6, "patients_without": 6}
    documents.write_json(paths.METRICS, {"test": split, "val": SPLIT})
    html = page()
    assert "in brackets" not in first_page(html)
    assert "intervals have" not in html
    assert "values without intervals" in html
    assert "in brackets" not in paths.REPORT_IN_SHORT.read_text()


def test_synthetic_images_are_said_to_be_synthetic(before_report):
    assert "synthetic" in page()
    editing.set_values(paths.PARAMS, {"pull.source": "folder", "pull.path": "/home/someone/scans"})
    html = page()
    assert "synthetic" not in html
    assert "/home/someone" not in html


def test_names_that_pictures_spell_otherwise_are_told(before_report, monkeypatch):
    assert "Pictures spell" not in page()
    monkeypatch.setattr(fonts, "spelled", lambda names: {names[1]: "XiongPian"})
    editing.set_values(paths.PARAMS, {"task.classes": ["well", "胸片"]})
    assert "Pictures spell 胸片 as XiongPian, since" in page()


def test_patients_on_two_sides_are_no_secret(before_report):
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
    assert "770 images): what is on the earlier side is quarantined." in html
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | leak | dropped | {"dropped_from_batch": 2})
    assert "quarantined, from batch 2 on; before it all went to one side." in page()


def test_a_test_far_below_val_is_said_before_any_figure(before_report):
    assert "far below" not in page()
    test = {"value": 0.854, "low": 0.83, "high": 0.88}
    val = {"value": 0.985, "low": 0.97, "high": 0.99}
    metrics = {"test": SPLIT | {"auroc": test}, "val": SPLIT | {"auroc": val}}
    documents.write_json(paths.METRICS, metrics)
    told = "AUROC on test 0.854 (0.830 to 0.880) is far below that on val 0.985 (0.970 to 0.990)"
    html = page()
    assert html.index(told) < html.index('<div class="tiles">')


def test_a_test_too_small_to_judge_is_said_before_any_figure(before_report):
    assert "too small to judge" not in page()
    right = {"ece": UNKNOWN, "calibration_slope": UNKNOWN, "temperature": 1.0, "shift": 0.0}
    test = SPLIT | {"judged": False, "patients_with": 4, "calibrated": CALIBRATED | right}
    documents.write_json(paths.METRICS, {"test": test, "val": SPLIT})
    documents.write_json(paths.COMPRESSION, COMPRESSION | {"serves": "float.onnx"})
    html = page()
    assert "What is said above; nothing else that was looked for." in first_page(html)
    told = (
        "too small to judge: required are 10 patients with the finding and 10 without, it has 4 and"
    )
    assert html.index(told) < html.index('<div class="tiles">')


def test_images_without_a_patient_are_said_loudly(before_report):
    assert "patient id" not in page()
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"images_without_patient_id": 9})
    assert "<li>9 of 560 images have no patient id: each counts" in first_page(page())


def test_warnings_drift_and_shortcuts_are_told(before_report):
    warning = WARNING | {"says": "<b>no</b> drift"}
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
        *("All at once", "0.81"),
    ):
        assert words in html


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
        "images": 10,
        "patients": 10,
        "deletion": FIGURE,
        "insertion": FIGURE,
        "mean": FIGURE | {"low": -0.1},
        "shuffled_correlation": FIGURE,
    },
}


def test_heatmaps_that_do_not_beat_chance_are_told_on_the_first_page(before_report):
    blind = TESTED | {"by_masks": None, "follows_weights": False}
    few = blind | {"beats_chance": None, "follows_weights": None, "by_scores": None}
    classes = {"benign": TESTED, "malignant": blind, "normal": few}
    documents.write_json(paths.EXPLANATIONS, {"method": "gradcam", "classes": classes})
    top, below = page().split("<nav")
    assert (
        "Heatmaps of benign are no better than chance: they hit the finding in a share of " in top
    )
    assert "0.320 (0.220 to 0.440) of the images, a point anywhere does in 0.300" in top
    assert "changes no more than with places at random, by 0.320 (-0.100 to 0.440)" in top
    assert "Heatmaps of malignant are not shown to follow the weights" in top
    assert "normal" not in top
    assert "too few to tell" in below
    assert "Images with masks" in below
    documents.write_json(paths.EXPLANATIONS, {"method": "gradcam", "classes": {"malignant": blind}})
    assert "Images with masks" not in (html := page())
    assert "Pointing" not in html


def test_a_weak_subgroup_is_told_on_the_first_page_and_marked_in_its_table(before_report):
    weak = ALL | {"sensitivity": {"value": 0.364, "low": 0.0, "high": 1.0}, "images": 24}
    split = SPLIT | {"slices": {"site": {"north": weak, "south": ALL}}}
    documents.write_json(paths.METRICS, {"test": split, "val": split})
    html = page()
    told = "Site north, 24 images: sensitivity 0.364 (0.000 to 1.000), below the 0.958 of all"
    assert told in first_page(html)
    assert html.count('<span class="wrong">0.364 (0.000 to 1.000) weak</span>') == 1
    assert html.count("weak</span>") == 1
