"""Marks: what of a name or number is looked for, and what is not."""

from __future__ import annotations

import pandas as pd
import pytest

from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import arrivals
from tasks.privacy import identifiers
from tasks.privacy.pseudonyms import Pseudonyms
from tasks.sources import Item

KEY = Pseudonyms(b"a key")


def found(identity: str, text: str) -> bool:
    return bool(set(identifiers.of_value(identity)) & identifiers.of_text(text))


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        ("Smith^Jane", "a scan of SMITH, aged 60"),
        ("Smith^Jane", "reports/smith_1.png"),
        ("Wu^Li", "seen by Li Wu"),
        ("Wu^Li", "wu_li"),
        ("Müller^Ottilie", "frau mu\u0308ller"),
        ("王小明", "患者 王小明 "),
        ("Иванов^Иван", "иванов"),
        ("A12345", "patient a12345."),
        ("1234567", "no. 1234567, or so"),
        ("12-34-56", "see x/12-34-56/y.png"),
        ("12/345/67", "id=12/345/67;"),
        ("1.2.840.113619.2.55.3", "uid 1.2.840.113619.2.55.3."),
        ("MRN-QZX-00012", "mrn-qzx-00012"),
        ("St. Elmswick Infirmary", "made at Elmswick"),
    ],
)
def test_is_found(identity, text):
    assert found(identity, text)


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        ("Smith^Jane", "a smithy, janes"),
        ("Wu^Li", "wu is not beside him, li is; wu and li"),
        ("123456", "auroc 0.123456, loss 1.123456e-05"),
        ("1.2.840.113619.2.55.3", "1.2.840.113619.2.55.31"),
        ("0.12", "0.12"),
        ("7", "7 of 7"),
        ("Ann", "Ann"),  # too short to stand alone
    ],
)
def test_is_not_found(identity, text):
    assert not found(identity, text)


def test_only_keyed_pseudonyms_are_kept():
    kept = identifiers.collect([{"Smith^Jane"}], KEY)
    assert KEY.identifier("smith") in kept
    assert all(len(mark) == 16 and int(mark, 16) >= 0 for mark in kept)
    assert kept.isdisjoint(identifiers.collect([{"Smith^Jane"}], Pseudonyms(b"other")))


def test_the_source_names_the_patient_and_the_file():
    item = Item("Jones_J/scan_0007.png", bytes, "sick", "P-1")
    assert arrivals.identities(item) == {"Jones_J", "scan_0007", "P-1"}


def test_a_word_of_the_scheme_of_names_is_nobodys():
    files = [{f"scan_{number:04d}", f"Smith{'abcdefghijkl'[number]} Jane"} for number in range(12)]
    kept = identifiers.collect(files, KEY)
    assert KEY.identifier("scan") not in kept
    assert KEY.identifier("smitha") in kept
    assert KEY.identifier("jane") in kept  # in every file, but no scheme of names


def test_words_of_the_project_classes_and_slices_do_not_count(workspace):
    table = pd.DataFrame(
        {
            "device": ["Philips Ingenuity"],
            "slice_ward": ["north"],
            "slice_doctor": ["Jane Smith"],
            "patient_id": ["mallory"],
        }
    )
    words = identifiers.vocabulary(load(Params), table)
    ours = {"auroc", "nodule", "philips", "north", "patient", "report"}
    assert ours <= words
    assert words.isdisjoint({"smith", "mallory", "quillfeather", "12345678"})
    marks = {"philips", "philips ingenuity", "smith", "patient smith", "12345678"}
    assert identifiers.without(marks, words) == {"smith", "patient smith", "12345678"}


@pytest.mark.parametrize(
    "name", ["COVID-19", "grade-2", "T1_contrast", "Viral Pneumonia", "Site-01"]
)
def test_a_class_or_slice_in_parts_does_not_count_though_a_folder_is_called_so(defaults, name):
    table = pd.DataFrame({"site": ["Site-01"]})
    classes = ["COVID-19", "grade-2", "T1_contrast", "Viral Pneumonia", "12-34-56"]
    task = defaults.task.model_copy(update={"kind": "multiclass", "classes": classes})
    words = identifiers.vocabulary(defaults.model_copy(update={"task": task}), table)
    (folder, *_) = arrivals.identities(Item(f"{name}/a.png", bytes, name)) - {"a"}
    marks = set(identifiers.of_value(folder)) & identifiers.of_text(f"AUROC of {name}: 0.9")
    assert marks
    assert not identifiers.without(marks, words)
    assert identifiers.without({"12-34-56"}, words) == {"12-34-56"}
