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


def test_an_unknown_class_is_named():
    with pytest.raises(DataError, match=r"\['x'\].*task.classes"):
        labels.encode(["a", "x"], "binary", ["a", "b"])


def test_many_unknown_classes_are_counted_as_they_may_be_patients():
    patients = [f"Smith {number}" for number in range(11)]
    with pytest.raises(DataError, match=r"\['a', 'b'\].*task.classes.*11 unknown.*pull.path") as e:
        labels.check(patients, "binary", ["a", "b"])
    assert "Smith" not in str(e.value)
