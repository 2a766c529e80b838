"""The classes of a task from the labels found: their order, their spelling, and what is refused."""

from __future__ import annotations

import shlex

import pytest

from tasks.common import editing, paths
from tasks.common.errors import DataError, ParameterError, SourceError
from tasks.common.params.loading import load
from tasks.common.params.task import Task
from tasks.common.params.whole import Params
from tasks.intake import classes

pytestmark = pytest.mark.usefixtures("workspace")


def auto(kind: str = "binary") -> Task:
    editing.set_values(paths.PARAMS, {"task.kind": kind, "task.classes": "auto"})
    return load(Params).task


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (["malignant", "normal"], ["normal", "malignant"]),
        (["covid", "other", "covid"], ["other", "covid"]),
        (["nodule ", "no_nodule", "nodule"], ["no_nodule", "nodule"]),
        (["cafe\u0301", "no caf\u00e9", "caf\u00e9"], ["no caf\u00e9", "caf\u00e9"]),
    ],
)
def test_of_two_classes_the_one_that_says_absence_is_first(found, written):
    settled = classes.settle(auto(), found)
    assert settled.classes == load(Params).task.names == written
    assert set(settled.spelled.values()) == set(written)
    assert written[1] in settled.diff


def test_more_classes_are_sorted():
    assert classes.settle(auto("multiclass"), ["normal", "b", "a"]).classes == ["a", "b", "normal"]
    assert classes.settle(auto("multilabel"), ["b | a", "", "b"]).classes == ["a", "b"]


@pytest.mark.parametrize(
    "names", [("cat", "dog"), ("BI-RADS:4", 'it\'s, a "b"'), ("true", "x # y")]
)
def test_where_no_name_tells_it_prints_the_settings_to_choose_from(names):
    task, before = auto(), paths.PARAMS.read_bytes()
    with pytest.raises(ParameterError, match="nothing was stored") as caught:
        classes.settle(task, names)
    assert paths.PARAMS.read_bytes() == before
    lines = [line for line in str(caught.value).splitlines() if "--set" in line]
    typed = [editing.parse_setting(shlex.split(line)[1]) for line in lines]
    assert typed == [("task.classes", [*names]), ("task.classes", [*names[::-1]])]


def test_labels_that_are_sides_of_a_split_are_no_classes():
    with pytest.raises(SourceError, match="sides of a split"):
        classes.settle(auto(), ["Training", "Testing"])


@pytest.mark.parametrize("label", ["Smith\0", "\t", "Smith\nb"])
@pytest.mark.parametrize("known", ["auto", ["a", "b"]])
def test_control_characters_are_refused_and_counted(label, known):
    editing.set_values(paths.PARAMS, {"task.classes": known})
    task = load(Params).task
    with pytest.raises(SourceError, match=r"1 that are empty or hold control.*details") as caught:
        classes.settle(task, ["a", "b", label])
    assert "Smith" not in str(caught.value)
    assert classes.refused(task, ["a", "b", label]) == [ascii(label.strip())]


def test_unknown_labels_are_told_to_their_owner_alone():
    task = Task(kind="binary", classes=["a", "b"])
    with pytest.raises(DataError, match="2 images with 1 other labels") as caught:
        classes.settle(task, ["a", "Smith", "Smith"])
    assert "Smith" not in str(caught.value)
    assert classes.refused(task, ["a", "Smith", "Smith"]) == ["'Smith'"]
