import numpy as np
import pytest

from tasks.common import labels
from tasks.common.errors import DataError


def test_the_second_class_of_a_binary_task_is_positive():
    targets = labels.encode(["b", "a", "b"], "binary", ["a", "b"])
    np.testing.assert_array_equal(targets, [[1], [0], [1]])


def test_multiclass_is_one_hot_in_the_order_of_the_classes():
    targets = labels.encode(["c", "a"], "multiclass", ["c", "b", "a"])
    np.testing.assert_array_equal(targets, [[1, 0, 0], [0, 0, 1]])


def test_multilabel_joins_names_and_allows_none():
    targets = labels.encode(["a|c", "", "b"], "multilabel", ["a", "b", "c"])
    np.testing.assert_array_equal(targets, [[1, 0, 1], [0, 0, 0], [0, 1, 0]])


def test_unknown_labels_are_counted_as_they_may_be_names_of_people():
    wanted = r"\['a', 'b'\].*3 images with 2 other labels.*pull_details.*at its end.*classes=auto"
    with pytest.raises(DataError, match=wanted) as caught:
        labels.check(["a", "Smith", "Smith", "Jones"], "binary", ["a", "b"])
    assert not any(name in str(caught.value) for name in ("Smith", "Jones"))


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ("scar | mass", "mass|scar"),
        (" mass|mass |", "mass"),
        ("cafe\u0301|a", "a|caf\u00e9"),
        (" | ", ""),
        ("", ""),
    ],
)
def test_a_label_is_kept_in_one_spelling(label, kept):
    assert labels.spelled(label, "multilabel", []) == kept
    assert labels.spelled(kept, "multilabel", kept.split("|")) == kept


def test_a_single_label_is_spelled_as_the_class_that_it_means():
    """Whatever is in task.classes already stays what it is, though spelled as none is today."""
    composed, apart = "caf\u00e9", "cafe\u0301"
    assert labels.spelled(f" {apart}", "binary", ["x", composed]) == composed
    assert labels.spelled(composed, "binary", ["x", apart]) == apart
    assert labels.spelled(apart, "binary", [composed, apart]) == apart
    assert labels.spelled("a | b", "binary", []) == "a | b"
    assert labels.spelled("mass ", "multilabel", ["mass ", "mass"]) == "mass "


@pytest.mark.parametrize(
    ("name", "unfit"),
    [
        *((name, True) for name in ("", "a\0b", "a\nb", "\x85", "\udcff", "\u2028")),
        *((name, False) for name in ("a b", "BI-RADS:4", "caf\u00e9", "\u6b63\u5e38")),
    ],
)
def test_control_characters_are_unfit_for_a_class(name, unfit):
    assert labels.is_unfit(name) == unfit
