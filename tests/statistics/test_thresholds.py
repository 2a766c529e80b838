from __future__ import annotations

import numpy as np
import pytest

from tasks.common.errors import DataError
from tasks.statistics import thresholds, youden
from tasks.statistics.operating_point import OperatingPoint
from tasks.statistics.thresholds import threshold

TARGETS = np.array([0.0, 0, 0, 1, 0, 1, 1, 1])
SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
EVEN = np.array([0.5, 0.5])


def rates(chosen: float, targets=TARGETS, scores=SCORES) -> tuple[float, float]:
    past = scores >= chosen
    return past[targets > 0].mean(), 1 - past[targets == 0].mean()


def test_youden_is_that_of_the_smoothed_scores():
    assert threshold(TARGETS, SCORES, "youden", 0.9, 0.6) == youden.threshold(TARGETS, SCORES, 0.6)


def test_sensitivity_is_the_highest_threshold_that_reaches_it():
    chosen = threshold(TARGETS, SCORES, "sensitivity", 0.75, 0.5)
    assert rates(chosen) == (0.75, 1.0)
    assert 0.5 < chosen < 0.6


def test_specificity_is_the_lowest_threshold_that_reaches_it():
    chosen = threshold(TARGETS, SCORES, "specificity", 0.75, 0.5)
    assert rates(chosen) == (1.0, 0.75)
    assert 0.3 < chosen < 0.4


@pytest.mark.parametrize("rule", ["sensitivity", "specificity"])
def test_a_target_of_one_is_reached_by_going_past_all_scores(rule):
    upside_down = 1 - TARGETS
    chosen = threshold(upside_down, SCORES, rule, 1.0, 0.5)
    position = ["sensitivity", "specificity"].index(rule)
    assert rates(chosen, upside_down)[position] == 1.0


def test_saturated_float32_scores_keep_a_finite_threshold():
    scores = np.ones(4, np.float32)
    chosen = threshold(np.array([0.0, 1, 0, 1]), scores, "specificity", 1.0, 0.5)
    assert 1.0 < chosen < 1.001


def test_fit_gives_each_class_its_threshold_and_predicts_with_it():
    targets, scores = np.stack([TARGETS, 1 - TARGETS], 1), np.stack([SCORES, 1 - SCORES], 1)
    point = thresholds.fit("multilabel", ["a", "b"], targets, scores, "sensitivity", 1.0, EVEN)
    assert list(point.thresholds) == ["a", "b"]
    assert point.predict(scores)[targets > 0].all()
    assert point.to_json()["rule"] == "sensitivity"


def test_a_score_on_the_threshold_is_positive():
    point = OperatingPoint("youden", 0.9, {"a": 0.5})
    assert point.predict(np.array([[0.5], [0.49]])).tolist() == [[1.0], [0.0]]


def test_in_a_multiclass_task_the_highest_score_wins():
    scores = np.array([[0.2, 0.5, 0.3]])
    point = thresholds.fit("multiclass", list("abc"), np.eye(3)[[1]], scores, "youden", 0.9, EVEN)
    assert point.thresholds is None
    assert point.predict(scores).tolist() == [[0, 1, 0]]


def test_a_class_without_positives_in_val_is_an_error_that_says_so():
    with pytest.raises(DataError, match=r"with and without 'b' in val.*received: 8 images, 0 with"):
        thresholds.fit("binary", ["b"], np.zeros((8, 1)), SCORES[:, None], "youden", 0.9, EVEN)
