import pytest

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
    changed = [
        (a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b
    ]
    assert len(changed) == 2
    assert "# fixed order" in changed[0][1]


def test_setting_what_stands_there_changes_nothing(workspace):
    before = paths.PARAMS.read_bytes()
    assert (
        editing.set_values(paths.PARAMS, {"train.epochs": 50, "preprocess.size": [224, 224]}) == ""
    )
    assert paths.PARAMS.read_bytes() == before


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
