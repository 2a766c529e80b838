from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from worlds import report as world
from worlds.report import (
    ALL,
    AUDIT,
    CALIBRATED,
    COMPRESSION,
    COUNTS,
    EXPECTATION,
    INTERVAL,
    PICTURE,
    RECEIPT,
    SPLIT,
    UNKNOWN,
)
from worlds.word_list import require_listed

from tasks import report
from tasks.common import documents, editing, paths
from tasks.evidence.checklist import Place
from tasks.evidence.own_text import own_text as words_of_evidence
from tasks.pictures import charts, fonts
from tasks.pictures.page import own_text


@pytest.fixture
def made(workspace, monkeypatch):
    """What the stages before report wrote. Charts are tested by themselves, and take a while."""
    monkeypatch.setattr(charts, "history", lambda *_: {"loss": PICTURE})
    world.write()


def page() -> str:
    report.main()
    return paths.REPORT.read_text(encoding="utf-8")


def first_page(html: str) -> str:
    return html.partition("<nav")[0]


def test_the_page_says_what_was_found(made):
    html = page()
    assert "0.958" in html
    assert "(0.900 to 0.980)" in html
    assert "0.412" in html
    assert "Research use only; not a medical device." in html
    assert "EfficientNetLite0" in html
    assert "Sex, test" in html


def test_a_package_without_int8_shows_its_one_file(made):
    told = {name: world.COMPRESSION[name] for name in ("calibration_images", "files")}
    alone = {"serves": "float.onnx", "reason": "int8 could not be made"}
    documents.write_json(paths.COMPRESSION, told | alone)
    html = page()
    assert "<b>float.onnx</b>" in html
    assert "int8 could not be made." in html
    assert "What int8 changes" not in html
    assert "int8" not in first_page(html)


def test_checklists_and_change_protocol_show_answers_and_gaps(made):
    html = page()
    assert "25 of 44 items answered; 18 left to the owner; 1 left to data or settings." in html
    answer = "<p>No ensemble: one network answers.</p>"
    assert re.search(rf'<tr><th scope="row">27 Ensembles</th><td>\s*{answer}', html)
    gap = "<strong>Gap:</strong> not known to the machine; say it in docs/owner.md under Limits."
    assert html.count(gap) == 2
    assert "<caption>2. Modification protocol</caption>" in html
    assert "AUROC 0.8, sensitivity 0.5 and specificity 0.5 or more by the lower ends" in html


def test_the_owners_words_stand_escaped_where_they_answer(made):
    paths.OWNER.parent.mkdir()
    paths.OWNER.write_text("## Limits\nFew <b>children</b>.\nOne site.\n", encoding="utf-8")
    html = page()
    assert html.count("<p>Few &lt;b&gt;children&lt;/b&gt;.\nOne site.</p>") == 3
    assert "under Limits" not in html
    assert '<p class="said">Few &lt;b&gt;children&lt;/b&gt;.' in first_page(html)
    assert "26 of 44 items answered; 17 left to the owner" in html


def test_checklists_name_sections_that_the_page_has(made):
    known = {"the first page", *re.findall(r'<section id="(\w+)"', page())}
    assert {place for place in Place if not place.startswith("docs/")} <= known


def test_the_report_in_short_counts_answers_and_names_gaps(made):
    page()
    short = paths.REPORT_IN_SHORT.read_text(encoding="utf-8")
    assert "- **CLAIM 2024**: 25 of 44 items answered; 18 left to the owner;" in short
    assert "Gaps: 3 Background and clinical role; 4 Aims and hypotheses; 5 Prospective" in short
    assert "Gaps: What the model is for; Why, how often, and how users learn of it;" in short


def test_the_report_in_short_escapes_tags_and_keeps_quotation_marks(made):
    editing.set_values(paths.PARAMS, {"report.title": """St Anne's "first" <b>"""})
    page()
    short = paths.REPORT_IN_SHORT.read_text(encoding="utf-8")
    assert """# St Anne's "first" &lt;b&gt;\n""" in short


def test_sets_of_answers_are_told_with_what_they_assume(made):
    html = page()
    assert "for 90.0% of the images of each class" in html
    assert "On test it was in a share of 0.958 (0.900 to 0.980), with 1.250" in html
    assert "could change places with those of val" in html
    assert "Sets by sex, test" in html


def test_robustness_is_told_with_the_sample_it_was_measured_on(made):
    html = page()
    assert "41 of the test images, of 20 patients" in html
    assert "<h3>JPEG</h3>" in html
    assert "Called otherwise" in html
    assert "0.062 (0.020 to 0.100)" in html


def test_arrival_batches_are_listed_by_their_number(made):
    split = SPLIT | {"slices": {"batch": {"0": ALL, "1": ALL | {"auroc": UNKNOWN}}}}
    documents.write_json(paths.METRICS, {"test": split, "val": split})
    listed = re.search(r"<h3>Arrival batch, test</h3>.*?</table>", page(), re.DOTALL)
    assert re.findall(r'role="rowheader">(\w+)<', listed[0]) == ["0", "1"]


def test_no_interval_is_named_where_none_is_shown(made):
    assert "in brackets 95% intervals" in first_page(page())
    split = SPLIT | {"judged": False, "patients_with": 6, "patients_without": 6}
    documents.write_json(paths.METRICS, {"test": split, "val": SPLIT})
    html = page()
    assert "in brackets" not in first_page(html)
    assert "intervals have" not in html
    assert "values without intervals" in html
    assert "in brackets" not in paths.REPORT_IN_SHORT.read_text()


def test_the_temperature_stands_with_what_it_changes(made):
    html = page()
    assert (
        "A temperature of <b>1.523</b>, fitted on val, makes the scores of test less sure" in html
    )
    (row,) = re.findall(r">Calibration slope</th>(.*?)</tr>", html)
    assert row.count("0.958 (0.900 to 0.980)") == 3
    for degree, words in ((0.8, "makes the scores of test surer"), (1.0, "as they are")):
        split = SPLIT | {"calibrated": CALIBRATED | {"temperature": degree}}
        documents.write_json(paths.METRICS, {"test": split, "val": split})
        assert f"{words}. AUROC and predictions" in page()


def test_synthetic_images_are_said_to_be_synthetic(made):
    assert "synthetic" in page()
    editing.set_values(paths.PARAMS, {"pull.source": "folder", "pull.path": "/home/someone/scans"})
    html = page()
    assert "synthetic" not in html
    assert "/home/someone" not in html


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(made):
    html = page()
    sources = re.findall(r'src="(.{0,30})', html)
    assert len(sources) == 13
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert set(re.findall(r'href="(.)', html)) == {"#"}
    assert "<script" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_names_that_pictures_spell_otherwise_are_told(made, monkeypatch):
    assert "Pictures spell" not in page()
    monkeypatch.setattr(fonts, "spelled", lambda names: {names[1]: "XiongPian"})
    editing.set_values(paths.PARAMS, {"task.classes": ["well", "胸片"]})
    assert "Pictures spell 胸片 as XiongPian, since" in page()


def test_text_from_the_data_is_escaped(made):
    editing.set_values(paths.PARAMS, {"task.classes": ["well", "<script>"]})
    html = page()
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_its_words_are_its_own_listed_or_from_the_data(made):
    without_pictures = re.sub(r"base64,[^\"]+", "", page())
    require_listed(without_pictures, known=f"{own_text()} {words_of_evidence()} nodule")


def test_so_are_those_of_everything_that_can_be_wrong(made):
    world.write_every_part()
    html, card = page(), paths.REPORT_IN_SHORT.read_text()
    known = f"{own_text()} {words_of_evidence()} nodule south {world.LONG}"
    require_listed(re.sub(r"base64,[^\"]+", "", html) + card, known=known)
    wrong = first_page(html).partition("What is wrong with it")[2]
    assert len(re.findall('<li><a href="#', wrong)) == 7


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
    assert "weights, the temperature and the sets" in html


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
    assert "770 images): what is on the earlier side is quarantined." in html
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | leak | dropped | {"dropped_from_batch": 2})
    assert "quarantined, from batch 2 on; before it all went to one side." in page()


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


def test_a_test_too_small_to_judge_is_said_before_any_figure(made):
    assert "too small to judge" not in page()
    right = {"ece": UNKNOWN, "calibration_slope": UNKNOWN, "temperature": 1.0}
    test = SPLIT | {"judged": False, "patients_with": 4, "calibrated": CALIBRATED | right}
    documents.write_json(paths.METRICS, {"test": test, "val": SPLIT})
    documents.write_json(paths.COMPRESSION, COMPRESSION | {"serves": "float.onnx"})
    html = page()
    assert "What is said above; nothing else that was looked for." in first_page(html)
    told = (
        "too small to judge: required are 10 patients with the finding and 10 without, it has 4 and"
    )
    assert html.index(told) < html.index('<div class="tiles">')


def test_faults_are_counted_by_reason(made):
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"faults": {"too dark: its mean": 14}})
    assert "<li>14: too dark: its mean</li>" in page()


def test_images_without_a_patient_are_said_loudly(made):
    assert "patient id" not in page()
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"images_without_patient_id": 9})
    assert "<li>9 of 560 images have no patient id: each counts" in first_page(page())


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
        *("All at once", "0.81"),
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
        "images": 10,
        "patients": 10,
        "deletion": FIGURE,
        "insertion": FIGURE,
        "mean": FIGURE | {"low": -0.1},
        "shuffled_correlation": FIGURE,
    },
}


def test_heatmaps_that_do_not_beat_chance_are_told_on_the_first_page(made):
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


def test_a_weak_subgroup_is_told_on_the_first_page_and_marked_in_its_table(made):
    weak = ALL | {"sensitivity": {"value": 0.364, "low": 0.0, "high": 1.0}, "images": 24}
    split = SPLIT | {"slices": {"site": {"north": weak, "south": ALL}}}
    documents.write_json(paths.METRICS, {"test": split, "val": split})
    html = page()
    told = "Site north, 24 images: sensitivity 0.364 (0.000 to 1.000), below the 0.958 of all"
    assert told in first_page(html)
    assert html.count('<span class="wrong">0.364 (0.000 to 1.000) weak</span>') == 1
    assert html.count("weak</span>") == 1


def test_patients_are_counted_in_one_place_and_groups_are_called_groups(made):
    """Metrics count what intervals rest on: patients who share a picture as one."""
    sides = {name: side | {"patients": 25} for name, side in RECEIPT["splits"].items()}
    copies = RECEIPT["duplicates"] | {"patients_joined_to_another": 5}
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"splits": sides, "duplicates": copies})
    html = page()
    assert "20 patients" not in html
    assert "60 test images of 25 patients" in first_page(html)
    assert "of 20 groups, were scored once more" in html
    assert '<td role="cell" data-label="Groups"><span>20</span>' in html


def test_zeros_take_one_line(made):
    html = page()
    assert "What two sides share" not in html
    assert "No two sides share a patient or a picture" in html
    shared = {"train and test": {"patients": 2, "groups": 2, "duplicates": 0}}
    documents.write_json(paths.SPLIT_RECEIPT, RECEIPT | {"shared": shared})
    assert "What two sides share" in page()


def test_the_flow_accounts_for_every_image(made):
    flow = re.search(r'<ol class="flow">.*?</ol>', page(), re.DOTALL)[0]
    text = re.sub(r"<[^>]+>", "", flow)
    assert re.findall(r"\d+", text)[:4] == ["561", "2", "1", "560"]
    assert "1 not readable" in text


def test_the_short_report_says_the_same_as_markdown(made):
    page()
    card = paths.REPORT_IN_SHORT.read_text()
    assert "| AUROC | 0.958 (0.900 to 0.980) | 0.958 (0.900 to 0.980) |" in card
    assert "| Sex: M | 190 (43.2%) | 30 (50.0%) | 20 (33.3%) |" in card
    assert "| Sex: not known | 0 (0.0%) | 0 (0.0%) | 10 (16.7%) |" in card
    assert "<!-- place: verdict -->" in card
