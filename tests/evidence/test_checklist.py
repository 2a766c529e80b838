"""CLAIM 2024 and STARD-AI: numbers as published, sentences as the facts have it, gaps."""

from __future__ import annotations

import pytest
from worlds.evidence import FILES, NOBODY, RECEIPT, TEST, UNKNOWN, between, facts, with_test
from worlds.project import ROOT

from tasks.evidence.checklist import Item, Place, fill, filled
from tasks.evidence.claim import CLAIM
from tasks.evidence.data_facts import SOURCES
from tasks.evidence.owner import Heading
from tasks.evidence.stard_ai import STARD_AI

LISTS = (CLAIM, STARD_AI)
IN_PARTS = {"15": "abcd", "16": "abc", "17": "ab", "26": "ab", "40": "ab"}


def items(checklist):
    return [item for part in checklist.parts.values() for item in part]


def line(checklist, number, known, answers=NOBODY):
    (found,) = [one for one in fill(checklist, known, answers).lines if one.number == number]
    return found


def told(checklist, number, known):
    return line(checklist, number, known).told


def test_numbers_are_those_of_the_lists():
    assert [item.number for item in items(CLAIM)] == [str(n) for n in range(1, 45)]
    numbers = [f"{n}{part}" for n in range(1, 41) for part in IN_PARTS.get(str(n), " ")]
    assert [item.number for item in items(STARD_AI)] == [number.strip() for number in numbers]
    assert len(numbers) == 48


@pytest.mark.parametrize(
    ("checklist", "number", "word"),
    [
        (CLAIM, "11", "De-identification"),
        (CLAIM, "18", "Agreement"),
        (CLAIM, "21", "size of the test set"),
        (CLAIM, "27", "Ensembles"),
        (CLAIM, "33", "external"),
        (CLAIM, "39", "failures"),
        (CLAIM, "44", "Funding"),
        (STARD_AI, "6", "ethics"),
        (STARD_AI, "12", "annotated"),
        (STARD_AI, "15d", "Who is to use it"),
        (STARD_AI, "23", "fairness"),
        (STARD_AI, "29", "external"),
        (STARD_AI, "32", "Adverse"),
        (STARD_AI, "39", "Commercial"),
    ],
)
def test_an_item_has_its_number(checklist, number, word):
    (item,) = [item for item in items(checklist) if item.number == number]
    assert word in item.topic


@pytest.mark.parametrize("checklist", LISTS, ids=lambda one: one.title)
def test_every_item_can_be_answered(checklist):
    for item in items(checklist):
        assert item.told or item.owner


def test_every_heading_but_those_of_page_one_answers_an_item():
    used = {item.owner for checklist in LISTS for item in items(checklist)}
    assert set(Heading) - used == {Heading.NOT_FOR, Heading.UPDATES}


def test_files_that_are_named_are_there():
    files = [place for place in Place if place.startswith("docs/")]
    assert len(files) == 3
    assert all((ROOT / name).is_file() for name in files)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("1", "Deep learning: the network EfficientNetLite0 for binary classification."),
        ("7", "Synthetic images that a program has drawn; no patient is in them."),
        (
            "9",
            "Decoded, DICOM through the window of the header, and resized with its aspect ratio, "
            "between bars of black, to 224 by 224 pixels in "
            "grey. The packaged model does the same to every file that it is given.",
        ),
        ("10", "Left out of the images: 1 not readable, 2 of no use."),
        (
            "19",
            "Patients are drawn, stratified by label, each batch on its own with seed 11: 20% go "
            "to test, 15% go to val, the others to train.",
        ),
        ("21", "Test has 185 images of 48 patients: no_nodule 112, nodule 73."),
        (
            "22",
            "EfficientNetLite0 on 224 by 224 pixels, the mean of its last maps, dropout of 0.2 and "
            "one dense layer; 3,414,305 parameters.",
        ),
        (
            "25",
            "The head on the frozen backbone, up to 50 epochs of Adam at 0.005 in batches of 128, "
            "with a patience of 10; then all from the layer block11_expand_conv on, up to "
            "about 300 steps (an epoch at least) of Adam at 0.0003 in batches of 32, with a "
            "patience of 5, a cosine schedule of the rate, label smoothing of 0.1; what counts is "
            "the mean of these weights (0.5) and those before. Random views of the preset "
            "radiograph. Classes are weighed inversely to their frequency.",
        ),
        (
            "26",
            "The lowest calibrated loss on val: epoch 4 of the fine-tune phase, with an AUROC of "
            "0.985 on val. Test has chosen nothing.",
        ),
        ("30", "On 58 images of test: AUROC 0.991 as they are, 0.948 at worst (noise 20)."),
        ("31", "Grad-CAM, held to chance. Beats it: nodule yes."),
        ("32", "AUROC 0.985 (0.940 to 0.990) on val, 0.991 (0.943 to 0.999) on test."),
        (
            "35",
            "961 images pulled. Left out of the images: 1 not readable, 2 of no use. Used: 958 "
            "images of 240 patients; train 625 images of 156 patients, val 148 images of 36 "
            "patients, test 185 images of 48 patients.",
        ),
        ("36", "Table 1 has, for train, val and test: sex, ward."),
        (
            "38",
            "On test: AUROC 0.991 (0.943 to 0.999), sensitivity 0.877 (0.703 to 0.955), "
            "specificity 0.991 (0.895 to 0.999), positive predictive value 0.985 (0.847 to 0.999), "
            "negative predictive value 0.925 (0.801 to 0.974).",
        ),
    ],
)
def test_a_sentence_of_claim_is_made_of_facts(defaults, number, sentence):
    assert told(CLAIM, number, facts(defaults)) == sentence


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (
            "15b",
            "Trained on 625 images, chosen on 148 images of val, measured on 185 images of test.",
        ),
        (
            "15c",
            "By score: nodule from 0.485 on. The rule, youden, stood in the parameters before; the "
            "threshold was fitted on val and applied to test unchanged.",
        ),
        (
            "19",
            "Every image that can be read gets an answer; none is left out of the figures. Sets of "
            "answers leave 0.973 (0.950 to 1.000) open on average, and hold the right one in a "
            "share of 0.930 (0.860 to 0.966).",
        ),
        (
            "23",
            "AUROC from 0.910 (ward north) to 0.999 (sex M); 1 of 3 subgroups of test have too few "
            "patients. The gate holds those of 30 images or more to an AUROC of 0.7 and a "
            "sensitivity of 0.5.",
        ),
        ("30", "Right are 64 of 73 nodule and 111 of 112 no_nodule."),
    ],
)
def test_a_sentence_of_stard_ai_is_made_of_facts(defaults, number, sentence):
    assert told(STARD_AI, number, facts(defaults)) == sentence


def test_where_the_owner_has_to_answer_and_has_not_it_is_a_gap_whatever_the_machine_knows(defaults):
    gap = line(CLAIM, "21", facts(defaults))
    assert gap.told.startswith("Test has 185 images")
    assert gap.gap == "not known to the machine; say it in docs/owner.md under Sample size"
    assert gap.owners
    answers = NOBODY | {Heading.SAMPLE_SIZE: "200, by a power of 0.8"}
    full = line(CLAIM, "21", facts(defaults), answers)
    assert (full.gap, full.said) == ("", "200, by a power of 0.8")


def test_an_external_test_that_was_not_done_is_a_gap_of_the_settings(defaults):
    gap = line(CLAIM, "33", facts(defaults))
    assert gap.gap == "not done: evaluate.external names images of another place"
    assert not gap.owners
    others = {"auroc": between(0.74, 0.776, 0.81), "images": 64, "patients": 20}
    known = facts(defaults, metrics=FILES["metrics"] | {"external": others})
    assert told(STARD_AI, "29", known) == (
        "AUROC 0.776 (0.740 to 0.810) on 64 images of 20 patients from elsewhere, "
        "0.991 (0.943 to 0.999) on test."
    )
    assert told(STARD_AI, "15b", known).endswith("of test, and on 64 images from elsewhere.")


def test_a_source_that_tells_nothing_of_its_patients_leaves_gaps(defaults):
    batches = with_test(slices={"batch": TEST["slices"]["batch"]})
    known = facts(defaults, metrics=batches, receipt=RECEIPT | {"table_one": {}})
    for checklist, number in ((CLAIM, "36"), (STARD_AI, "23"), (STARD_AI, "25")):
        assert "pull.slices" in line(checklist, number, known).gap


def test_counts_are_of_answers(defaults):
    known = facts(defaults)
    empty = {checklist.title: fill(checklist, known, NOBODY).summary for checklist in LISTS}
    assert empty == {
        "CLAIM 2024": "25 of 44 items answered; 18 left to the owner; 1 left to data or settings",
        "STARD-AI": "16 of 48 parts answered; 31 left to the owner; 1 left to data or settings",
    }
    everything = dict.fromkeys(Heading, "said")
    metrics = FILES["metrics"] | {"external": TEST}
    full = [fill(checklist, facts(defaults, metrics=metrics), everything) for checklist in LISTS]
    assert [one.summary for one in full] == ["44 of 44 items answered", "48 of 48 parts answered"]
    assert [one.gaps for one in full] == [[], []]


def test_what_the_machine_finds_wrong_stands_beside_the_owners_limits(defaults):
    assert told(CLAIM, "40", facts(defaults)) == ""
    leak = {"on_leak": "report", "patients_on_two_sides": 2, "images_of_patients_on_two_sides": 7}
    wrong = {"alarms": ["Test is small"], "concerns": {"slices": ["M weak", "F weak"]}}
    known = facts(defaults, receipt=RECEIPT | leak, **wrong)
    assert told(CLAIM, "40", known) == "Test is small. M weak. F weak."
    assert told(CLAIM, "20", known).startswith("Not disjoint: 2 patients (7 images)")


def test_several_classes_have_no_threshold_and_no_two_by_two_table(defaults):
    task = {"kind": "multiclass", "classes": ["a", "b", "c"]}
    point = {"rule": "argmax", "target": 0.9, "thresholds": None}
    known = facts(defaults, point=point)
    known["about"] |= task
    assert told(STARD_AI, "15c", known).startswith("The class with the highest score")
    assert told(STARD_AI, "30", known) == "The confusion matrix of test stands among the figures."


def test_what_was_not_measured_is_not_told(defaults):
    changed = {"auroc": UNKNOWN}
    stressed = TEST["robustness"] | {"noise": {"5": changed}}
    known = facts(defaults, metrics=with_test(robustness=stressed), explanations={"classes": {}})
    assert "more patients" in line(CLAIM, "30", known).gap
    assert line(CLAIM, "31", known).gap == "no image of test could be tested"


def test_parameters_that_were_chosen_otherwise_are_told_so(defaults):
    seen = {"window": [40.0, 400.0], "color": "rgb", "fit": "pad"}
    pixels = defaults.preprocess.model_copy(update=seen)
    tuned = defaults.fine_tune.model_copy(update={"epochs": 0})
    other = {"weights": "/home/someone/own.npz", "pool": "stages"}
    model = defaults.model.model_copy(update=other)
    plain = defaults.augment.model_copy(update={"preset": "none"})
    split = defaults.split.model_copy(update={"folds": 5, "fold": 3})
    chosen = {"preprocess": pixels, "fine_tune": tuned, "model": model, "augment": plain}
    known = facts(defaults.model_copy(update=chosen | {"split": split}))
    assert "window with centre 40 and width 400" in told(CLAIM, "9", known)
    assert "in colour" in told(CLAIM, "9", known)
    assert "resized with its aspect ratio, between bars of black, to 224" in told(CLAIM, "9", known)
    assert "then all from" not in told(CLAIM, "25", known)
    assert "No augmentation" in told(CLAIM, "25", known)
    assert told(CLAIM, "24", known).startswith("The backbone starts from the weights file own.npz,")
    assert "the means of the maps of its last stages, side by side, " in told(CLAIM, "22", known)
    assert "fold 3 of 5 folds is val" in told(CLAIM, "19", known)
    given = facts(defaults, receipt=RECEIPT | {"sides_from_source": ["train", "test"]})
    assert told(CLAIM, "19", given).startswith("The source gives train and test.")


def test_options_of_training_are_told_where_they_were_taken(defaults):
    head = {"schedule": "cosine", "batch_normalisation": True, "l2": 1e-3, "label_smoothing": 0.1}
    later = {"epochs": 9, "schedule": "plateau", "label_smoothing": 0.0, "average": 0.25}
    chosen = {
        "train": defaults.train.model_copy(update=head),
        "fine_tune": defaults.fine_tune.model_copy(update=later),
    }
    said = told(CLAIM, "25", facts(defaults.model_copy(update=chosen)))
    assert (
        "with a patience of 10, a cosine schedule of the rate, batch normalisation before the "
        "head, an L2 penalty of 0.001, label smoothing of 0.1; then all from" in said
    )
    assert (
        " on, up to 9 epochs of Adam at 0.0003 in batches of 32, "
        "with a patience of 5, a plateau schedule of the rate; what counts is the mean of these "
        "weights (0.25) and those before. Random views" in said
    )


def test_every_source_has_a_name(defaults):
    kinds = type(defaults.pull).model_json_schema()["properties"]["source"]["enum"]
    assert sorted(SOURCES) == sorted(kinds)


def test_an_item_is_filled_in_its_order():
    asked = [Item("2", "b", lambda known: known["x"]), Item("1", "a", lambda _: "", without="why")]
    (first, second) = filled(asked, {"x": "yes"}, NOBODY)
    assert (first.number, first.told, first.gap) == ("2", "yes", "")
    assert (second.number, second.told, second.gap) == ("1", "", "why")
