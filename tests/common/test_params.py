import copy
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from worlds import sources

from tasks.common import paths
from tasks.common.errors import ParameterError
from tasks.common.params.loading import load, parse
from tasks.common.params.task import Task
from tasks.common.params.whole import Params


@pytest.fixture
def values(workspace):
    return YAML(typ="safe").load(workspace / "params.yaml")


def test_defaults_load_and_are_frozen(defaults):
    assert defaults.task.names == ["no_nodule", "nodule"]
    with pytest.raises(Exception, match="frozen"):
        defaults.train.epochs = 3


def test_every_stage_has_its_section(workspace, values):
    stages = YAML(typ="safe").load(workspace / "dvc.yaml")["stages"]
    assert set(stages) - {"code"} <= set(values)


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("train", "epochs", 0, "train.epochs: Input should be greater than or equal to 1"),
        ("train", "epochs", "many", "received 'many'"),
        (
            "fine_tune",
            "epochs",
            "many",
            "  fine_tune.epochs: Input should be 'auto' or a valid integer; received 'many'",
        ),
        (
            "task",
            "classes",
            3,
            "  task.classes: Input should be 'auto' or a valid list; received 3",
        ),
        (
            "task",
            "classes",
            ["a", 3],
            "  task.classes.1: Input should be a valid string; received 3",
        ),
        ("train", "learning_rate", 2.0, "less than or equal to 1; received 2.0"),
        ("train", "epoch", 5, "train.epoch: unknown key"),
        ("model", "backbone", "AlexNet", "'EfficientNetLite0', 'EfficientNetLite1'"),
        ("split", "on_leak", "ignore", "on_leak is fail, drop or report; received 'ignore'"),
        ("split", "on_leak", "drop from batch 0", "on_leak is fail, drop or report"),
        (
            "split",
            "on_leak",
            "move",
            "set `drop`; where data were split with `move` already, `drop",
        ),
        ("preprocess", "size", [224], "preprocess.size"),
        ("preprocess", "window", [40, 0], "width >= 1"),
        ("preprocess", "window", [40], "width >= 1"),
        ("preprocess", "window", "lungs", "window is one of abdomen, bone, brain, liver, lung,"),
        ("pull", "source", "folder", "needs path"),
        ("task", "classes", ["a", "b", "c"], "binary task has 2 classes, received 3"),
        ("task", "classes", ["a", "a"], "must differ"),
    ],
)
def test_what_is_not_allowed_is_named(values, section, key, value, words):
    values[section][key] = value
    with pytest.raises(ParameterError, match=r"params\.yaml has values") as caught:
        parse(Params, values)
    assert words in str(caught.value)


def test_all_problems_are_listed_at_once(values):
    broken = copy.deepcopy(values)
    broken["train"]["epochs"] = 0
    del broken["gate"]
    broken["trian"] = {}
    with pytest.raises(ParameterError) as caught:
        parse(Params, broken)
    message = str(caught.value)
    assert "train.epochs" in message
    assert "gate: required, but missing" in message
    assert "trian: unknown key" in message


def test_a_section_that_does_not_fit_is_not_quoted(values):
    values["pull"] |= {"source": "dicom", "path": "/data/Smith"}
    values["pull"]["columns"] |= {"label": "Jones", "file": "Jones"}
    with pytest.raises(ParameterError) as caught:
        parse(Params, values)
    values["pull"]["columns"] |= {"label": None}
    with pytest.raises(ParameterError) as of_pull:
        parse(Params, values)
    assert "each must name another column" in str(caught.value)
    assert "needs one of labels.table" in str(of_pull.value)
    for message in (str(caught.value), str(of_pull.value)):
        assert "Smith" not in message
        assert "Jones" not in message


def test_a_file_of_before_names_no_columns(values):
    del values["pull"]["columns"]
    assert parse(Params, values).pull.columns.named == {}
    values["pull"]["columns"] = {"label": "dx"}
    assert parse(Params, values).pull.columns.named == {"label": "dx"}


def test_external_images_are_named_as_in_pull_with_what_differs(values):
    del values["evaluate"]["external"]  # a file of before
    assert parse(Params, values).evaluate.external is None
    values["evaluate"]["external"] = {"source": "dicom", "path": "b", "labels": {"table": "c.csv"}}
    found = parse(Params, values).evaluate.external
    assert (found.labels.table, found.labels.key, found.take) == ("c.csv", "file", "all")
    values["evaluate"]["external"] |= {"pth": "/data/Smith"}
    with pytest.raises(ParameterError, match=r"evaluate\.external\.pth: unknown key"):
        parse(Params, values)


def test_missing_and_malformed_files_say_so(tmp_path):
    with pytest.raises(ParameterError, match="run from the project's root"):
        load(Params, tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("task: [")
    with pytest.raises(ParameterError, match="not valid YAML"):
        load(Params, tmp_path / "params.yaml")


def test_auto_classes_have_no_names_yet():
    with pytest.raises(ParameterError, match="still 'auto'"):
        _ = Task(kind="binary", classes="auto").names


def test_parameters_of_before_there_was_anything_to_exclude_still_load(workspace):
    text = paths.PARAMS.read_text("utf-8")
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("  exclude:")]
    paths.PARAMS.write_text("".join(lines), "utf-8")
    assert load(Params).pull.exclude == []


@pytest.mark.parametrize("pattern", ["", ".", "/", "**", "/data/masks"])
def test_a_pattern_that_can_match_nothing_below_the_source_is_refused(pattern):
    with pytest.raises(ValueError, match=r"a pattern of names below pull\.path"):
        sources.pull_of("folder", Path("x"), exclude=[pattern])


def test_what_has_no_files_has_none_to_exclude():
    with pytest.raises(ValueError, match=r"has no files to exclude"):
        sources.pull_of("phantom", exclude=["masks"])


def test_stages_of_a_backbone_that_has_none_are_refused(values):
    values["model"] |= {"backbone": "VGG16", "pool": "stages"}
    with pytest.raises(ParameterError, match="required last with backbone: VGG16"):
        parse(Params, values)


def test_a_file_that_does_not_say_how_images_fit_is_told_what_to_write(values):
    del values["preprocess"]["fit"]
    with pytest.raises(ParameterError, match="write `fit: stretch` below size"):
        parse(Params, values)


def test_a_file_of_before_goes_on_working(workspace):
    """Its intervals were drawn, so it says how often; what came later has a default."""
    lines = paths.PARAMS.read_text().splitlines()
    new = ("  prevalence:", "  per_patient:", "  coverage:", "  schedule:", "  label_smoothing:")
    new += ("  batch_normalisation:", "  l1:", "  l2:", "  average:", "  pool:")
    old = [line for line in lines if not line.startswith(new)]
    at = old.index("gate:")
    old[at + 1 : at + 1] = ["  resamples: 2000", "  seed: 23"]
    at = old.index("evaluate:")
    old[at + 1 : at + 1] = ["  resamples: 1000", "  seed: 19"]
    assert len(old) == len(lines) + 4 - 3 - 9
    before = load(Params)
    later = {"schedule": None, "label_smoothing": 0.0, "average": 1.0}  # than such a file
    expected = before.model_copy(update={"fine_tune": before.fine_tune.model_copy(update=later)})
    paths.PARAMS.write_text("\n".join(old) + "\n")
    assert load(Params) == expected
