"""The labels that a pull finds, held against the classes of params.yaml or written there."""

from __future__ import annotations

import pytest
from worlds.pull import (
    SOURCE,
    cohort,
    configure,
    image,
    run,
)

from tasks.common import paths
from tasks.common.errors import DataError, ParameterError, SourceError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.paths import StateEntry


@pytest.mark.usefixtures("source")
def test_unknown_class_stops_before_anything_is_written():
    image("odd/a.png", 9)
    with pytest.raises(DataError, match="1 images with 1 other labels") as caught:
        run()
    assert "odd" not in str(caught.value)
    assert "'odd'" in StateEntry.PULL_DETAILS.path.read_text()
    assert not paths.RAW.exists()


@pytest.mark.usefixtures("source")
def test_auto_writes_the_classes_found_and_says_which_is_positive():
    (SOURCE / "well").rename(SOURCE / "no_sickness")
    (SOURCE / "sick").rename(SOURCE / "sickness")
    configure(task__classes="auto")
    summary = run()
    assert load(Params).task.names == ["no_sickness", "sickness"]
    assert "+  - no_sickness\n+  - sickness\n" in str(summary)
    assert str(summary).splitlines()[-1] == "the positive class is sickness"


@pytest.mark.usefixtures("source")
def test_auto_stores_nothing_where_no_name_tells_which_is_positive():
    configure(task__classes="auto")
    with pytest.raises(ParameterError, match=r"--set 'task.classes=\[\"well\", \"sick\"\]'"):
        run()
    assert not paths.RAW.exists()
    assert load(Params).task.classes == "auto"


@pytest.mark.usefixtures("source")
def test_one_label_however_it_is_spelled():
    image("sick /a.png", 8)
    assert run().new == 5
    assert cohort()["label"].value_counts().to_dict() == {"sick": 3, "well": 2}


@pytest.mark.usefixtures("source")
def test_auto_refuses_classes_that_do_not_fit_the_kind():
    configure(task__classes="auto")
    image("third/a.png", 9)
    with pytest.raises(ParameterError, match="received: 3") as caught:
        run()
    assert not any(name in str(caught.value) for name in ("sick", "well", "third"))


@pytest.mark.usefixtures("source")
def test_auto_refuses_more_classes_than_there_can_be_without_their_names():
    configure(task__classes="auto", task__kind="multiclass")
    before = paths.PARAMS.read_text()
    for number in range(101):
        image(f"Jones_{number}/a.png", number)
    with pytest.raises(SourceError, match=r"received: 103; is pull\.path") as caught:
        run()
    assert "Jones" not in str(caught.value)
    assert paths.PARAMS.read_text() == before
