from __future__ import annotations

import difflib
import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from worlds.project import ROOT

from tasks.common import editing, paths
from tasks.common.errors import ParameterError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params


def test_an_edit_keeps_comments_and_shows_what_changed(workspace):
    before = paths.PARAMS.read_text()
    diff = editing.set_values(paths.PARAMS, {"train.epochs": 3, "task.classes": ["a", "b"]})
    after = paths.PARAMS.read_text()
    assert load(Params).train.epochs == 3
    assert load(Params).task.names == ["a", "b"]
    assert "-  epochs: 50\n+  epochs: 3\n" in diff
    assert changed(before, after) == [
        "-  - no_nodule",
        "-  - nodule",
        "+  - a",
        "+  - b",
        "-  epochs: 50",
        "+  epochs: 3",
    ]


def changed(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_setting_what_stands_there_changes_nothing(workspace):
    before = paths.PARAMS.read_text().replace("epochs: 50", "epochs:    50  ")
    paths.PARAMS.write_text(before)
    assert (
        editing.set_values(paths.PARAMS, {"train.epochs": 50, "preprocess.size": [224, 224]}) == ""
    )
    assert paths.PARAMS.read_text() == before


NAMES = (
    "BI-RADS:4",
    "stage: 1",
    "12:30:45",
    "a #b",
    "#a",
    "- a",
    "x,y",
    "[x]",
    "{x: y}",
    " a",
    "a ",
    "yes",
    "No",
    "null",
    "~",
    "true",
    "1",
    "1e3",
    "0x1F",
    "2020-01-01",
    "",
    "it's",
    'say "a"',
    "*a",
    "&a",
    "!a",
    "|a",
    ">a",
    "%a",
    "@a",
    "`a",
    "? a",
    "é",
    "\u80ba\u708e",
    "u\u0308",
    "\U0001fac1",
    "a\tb",
    "long " * 40 + "# name",
)


def test_any_class_name_is_read_as_it_was_given(workspace):
    classes = {"task.kind": "multiclass", "task.classes": list(NAMES)}
    editing.set_values(paths.PARAMS, classes)
    assert load(Params).task.classes == list(NAMES)
    assert editing.set_values(paths.PARAMS, classes) == ""
    apply_overrides(paths.PARAMS, ["train.epochs=3"])
    assert load(Params).task.classes == list(NAMES)


def test_what_yaml_would_not_give_back_is_not_written(workspace):
    before = paths.PARAMS.read_bytes()
    with pytest.raises(ParameterError, match=r"cannot hold the new value of task\.classes"):
        editing.set_values(paths.PARAMS, {"task.classes": ["a\x85", "b"]})
    assert paths.PARAMS.read_bytes() == before


KIND = "kind: binary                    # binary | multiclass | multilabel"
# What `dvc exp run -S` takes, the same as values, and the lines that it changes.
OVERRIDES: tuple[tuple[str, dict[str, Any], list[str]], ...] = (
    ("train.epochs=3", {"train.epochs": 3}, ["-  epochs: 50", "+  epochs: 3"]),
    ("pull.path=null", {"pull.path": None}, []),
    (
        "task.classes=[a,b]",
        {"task.classes": ["a", "b"]},
        ["-  - no_nodule", "-  - nodule", "+  - a", "+  - b"],
    ),
    (
        "task.kind=multilabel",
        {"task.kind": "multilabel"},
        [f"-  {KIND}", f"+  {KIND.replace('binary    ', 'multilabel')}"],
    ),
    (
        "train.threads=null",
        {"train.threads": None},
        [
            "-  threads: 2                      # another count gives other weights, so it is "
            "fixed here",
            "+  threads:                        # another count gives other weights, so it is "
            "fixed here",
        ],
    ),
    ("pull.slices=[ward]", {"pull.slices": ["ward"]}, ["-  slices: []", "+  slices:", "+  - ward"]),
)


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


@pytest.mark.parametrize(("override", "values", "lines"), OVERRIDES)
def test_dvc_changes_the_line_that_is_set_and_no_other(shipped, override, values, lines):
    before = shipped.read_text()
    apply_overrides(shipped, [override])
    assert changed(before, shipped.read_text()) == lines


def test_dvc_takes_back_every_kind_of_value(shipped):
    before = shipped.read_text()
    for there, back in (
        ("task.classes=auto", "task.classes=[no_nodule,nodule]"),
        ("pull.slices=[ward]", "pull.slices=[]"),
        ("pull.columns.label=dx", "pull.columns.label=null"),
        ("preprocess.window=[40,400]", "preprocess.window=null"),
        ("preprocess.window=lung", "preprocess.window=null"),
        ("validate.intensity_mean=[1,2]", "validate.intensity_mean=[5,250]"),
    ):
        apply_overrides(shipped, [there])
        assert shipped.read_text() != before
        apply_overrides(shipped, [back])
        assert shipped.read_text() == before, there


def test_what_either_writes_the_other_leaves(workspace, tmp_path):
    ours, theirs = paths.PARAMS, Path(shutil.copy(paths.PARAMS, tmp_path / "theirs.yaml"))
    path = "/data/a folder of a name that is long/and another one below it/with blanks"
    values: dict[str, Any] = {
        "pull.source": "folder",
        "pull.path": path,
        "pull.slices": ["ward"],
        "task.classes": ["BI-RADS:4", "a, b", "yes"],
        "task.kind": "multiclass",
        "train.learning_rate": 1e-5,
        "split.folds": 5,
        "preprocess.window": [40.0, 400.0],
    }
    editing.set_values(ours, values)
    apply_overrides(
        theirs,
        [
            "pull.source=folder",
            f"pull.path='{path}'",
            "pull.slices=[ward]",
            "task.classes=['BI-RADS:4','a, b','yes']",
            "task.kind=multiclass",
            "train.learning_rate=1e-5",
            "split.folds=5",
            "preprocess.window=[40.0,400.0]",
        ],
    )
    assert ours.read_text() == theirs.read_text()
    assert load(Params).pull.path == path
    apply_overrides(ours, ["train.epochs=50"])
    assert ours.read_text() == theirs.read_text()


def test_a_file_of_before_gets_the_key_that_it_lacks(workspace):
    old = [line for line in paths.PARAMS.read_text().splitlines(True) if "  l2:" not in line]
    paths.PARAMS.write_text("".join(old))
    foretold = editing.diff(paths.PARAMS, {"train.l2": 0.5})
    assert paths.PARAMS.read_text() == "".join(old)
    assert editing.set_values(paths.PARAMS, {"train.l2": 0.5}) == foretold
    assert load(Params).train.l2 == 0.5
    new = paths.PARAMS.read_text().splitlines(True)
    (line,) = [line for line in new if line not in old]
    assert line == "  l2: 0.5\n"
    assert [line for line in new if line != "  l2: 0.5\n"] == old


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"train.epoch": 3}, r"train\.epoch is no key"),
        ({"nothing.at.all": 3}, "is no key"),
        ({"train.epochs": 0}, "received 0"),
    ],
)
def test_a_refused_edit_leaves_the_file_alone(workspace, values, words):
    before = paths.PARAMS.read_bytes()
    with pytest.raises(ParameterError, match=words):
        editing.set_values(paths.PARAMS, values)
    assert paths.PARAMS.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "value"),
    [("a.b=5", 5), ("a.b=[64, 64]", [64, 64]), ("a.b=null", None), ("a.b=x=y", "x=y")],
)
def test_settings_are_yaml(text, value):
    assert editing.parse_setting(text) == ("a.b", value)


def test_a_setting_needs_a_key_and_a_value():
    with pytest.raises(ParameterError, match="key=value"):
        editing.parse_setting("train.epochs")
