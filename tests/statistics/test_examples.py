from __future__ import annotations

import numpy as np

from tasks.statistics.examples import choose, right
from tasks.statistics.metrics import Sample


def binary(scores: list[float], targets: list[int]) -> Sample:
    given = np.array(scores)[:, None]
    return Sample("binary", np.array(targets, float)[:, None], given, (given >= 0.5).astype(float))


def test_the_most_confident_right_and_wrong_images_of_each_class():
    sample = binary([0.9, 0.7, 0.2, 0.4, 0.1, 0.3, 0.6, 0.8], [1, 1, 1, 1, 0, 0, 0, 0])
    chosen = choose(sample, ["well", "ill"], 1)
    assert [(e.name, e.right, e.predicted, e.row) for e in chosen] == [
        ("well", True, "well", 4),
        ("well", False, "ill", 7),
        ("ill", True, "ill", 0),
        ("ill", False, "well", 2),
    ]
    assert [e.score for e in chosen] == [0.1, 0.8, 0.9, 0.2]
    assert [e.absent for e in chosen] == [True, False, False, True]


def test_fewer_than_asked_where_there_are_no_more():
    chosen = choose(binary([0.9, 0.1], [1, 0]), ["well", "ill"], 5)
    assert [e.right for e in chosen] == [True, True]


def test_a_multiclass_image_is_explained_by_what_was_predicted():
    scores = np.array([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]])
    sample = Sample("multiclass", np.eye(3)[[0, 0, 1]], scores, np.eye(3)[[0, 2, 0]])
    chosen = choose(sample, list("abc"), 2)
    assert [(e.name, e.predicted, e.output, e.score) for e in chosen] == [
        ("a", "a", 0, 0.7),
        ("a", "c", 2, 0.6),
        ("b", "a", 0, 0.5),
    ]


def test_a_multilabel_image_is_explained_by_the_label_that_it_holds():
    scores = np.array([[0.9, 0.1], [0.8, 0.3]])
    sample = Sample(
        "multilabel", np.array([[1.0, 1], [1, 0]]), scores, np.array([[1.0, 0], [1, 0]])
    )
    chosen = choose(sample, ["a", "b"], 1)
    assert [(e.name, e.predicted, e.right, e.row) for e in chosen] == [
        ("a", "a", True, 0),
        ("b", "not b", False, 0),
    ]


def test_images_that_are_answered_right_by_class():
    sample = binary([0.9, 0.7, 0.2, 0.1, 0.3, 0.6], [1, 1, 1, 0, 0, 0])
    found = right(sample, ["well", "ill"])
    assert {name: [e.row for e in examples] for name, examples in found.items()} == {
        "well": [3, 4],
        "ill": [0, 1],
    }
    assert [e.confidence for e in found["well"]] == [0.9, 0.7]
