"""Marks: what of a name or number is looked for, and what is not."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML
from worlds.project import ROOT
from worlds.word_list import require_listed

from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import arrivals
from tasks.privacy import identifiers
from tasks.privacy.pseudonyms import Pseudonyms
from tasks.sources import Item

KEY = Pseudonyms(b"a key")
# Authors that the code cites, and names that texts of the project have been cleared of.
NAMES = {
    *("cohen", "davis", "delong", "efron", "fawcett", "geirhos", "goadrich", "guo", "jacob"),
    *("mann", "mcneil", "murphy", "naeini", "northcutt", "selvaraju", "tibshirani", "welsh"),
    *("whitney", "wilson", "winkler", "yang", "zauner", "zech"),
    *("black", "bone", "brain", "cross", "fields", "keys", "liver", "lung", "may", "min", "more"),
    *("page", "small", "than", "white", "wise"),
}
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


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


def test_the_list_is_in_order_and_its_words_are_as_texts_are_cut():
    lines = identifiers.LISTED.read_text("utf-8").splitlines()
    words = [line for line in lines if not line.startswith("#")]
    assert words == sorted(set(words))
    assert identifiers.words_of("\n".join(words)) == set(words) == identifiers.listed()


def test_nobody_whom_the_code_cites_is_a_word(defaults):
    assert identifiers.vocabulary(defaults, pd.DataFrame()).isdisjoint(NAMES)


def test_a_preset_of_the_window_is_a_word_where_it_is_chosen(defaults):
    chosen = defaults.preprocess.model_copy(update={"window": "temporal_bone"})
    words = identifiers.vocabulary(
        defaults.model_copy(update={"preprocess": chosen}), pd.DataFrame()
    )
    assert {"temporal", "bone"} <= words


def test_the_list_has_the_parameters_and_what_they_can_be():
    require_listed(str(YAML(typ="safe").load(ROOT / "params.yaml")), known="nodule")
    require_listed("\n".join(choices(Params.model_json_schema())))


def choices(schema: Any) -> Iterator[str]:
    """What fields can be that are one of a few."""
    if isinstance(schema, dict):
        yield from map(str, schema.get("enum", []))
        yield from map(str, filter(None, [schema.get("const")]))
    for inner in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(inner, dict | list):
            yield from choices(inner)


@pytest.mark.parametrize(
    "suite", sorted((ROOT / "gx/expectations").glob("*.json")), ids=lambda path: path.stem
)
def test_the_list_has_what_a_suite_says(suite):
    """What to do is recorded of warnings only: where a critical one fails, there is no result."""
    said = json.loads(suite.read_text("utf-8"))
    texts = [said["name"], *(expectation["description"] for expectation in said["expectations"])]
    texts += [
        expectation["meta"]["fix"]
        for expectation in said["expectations"]
        if expectation["severity"] != "critical"
    ]
    require_listed("\n".join(texts))


@pytest.mark.parametrize("stage", STAGES)
def test_the_list_has_what_dvc_notes_of_a_stage(stage):
    """But for modules of the project."""
    require_listed(json.dumps([value for value in named(STAGES[stage]) if "tasks/" not in value]))


def named(entry: Any) -> Iterator[str]:
    for key in ("cmd", "deps", "outs", "metrics", "params", "plots"):
        values = entry.get(key, [])
        for value in [values] if isinstance(values, str) else values:
            yield next(iter(value)) if isinstance(value, dict) else value


WRITERS = [
    *(ROOT / f"tasks/{stage}.py" for stage in STAGES if stage not in ("report", "publish")),
    *(ROOT / "tasks/statistics").glob("*.py"),
    *(ROOT / "tasks").rglob("*receipt.py"),
    *(ROOT / "tasks").rglob("explanation*.py"),
]


@pytest.mark.parametrize("module", WRITERS, ids=lambda path: path.stem)
def test_the_list_has_the_keys_of_what_a_module_writes(module):
    """A metric, for one."""
    tree = ast.parse(module.read_text("utf-8"))
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    require_listed("\n".join(str(key.value) for key in keys if isinstance(key, ast.Constant)))


def test_what_is_missing_is_said():
    with pytest.raises(AssertionError, match=r"words\.txt lacks: dicesorensen, wilson\. "):
        require_listed('{"test": {"dicesorensen": {"value": 0.5}, "wilson_low": 3}, "images": 7}')
