import numpy as np
import pytest

from tasks.statistics import decision_curve
from tasks.statistics.decision_curve import THRESHOLDS, curve


def at(threshold: float) -> int:
    return int(np.flatnonzero(np.isclose(THRESHOLDS, threshold))[0])


def test_a_curve_by_hand():
    # At 0.2 an image with the finding is worth 4 without: 2 found, 1 needless of 5 images.
    targets, scores = np.array([1.0, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.6, 0.1, 0.0])
    found = curve(targets, scores)
    assert found.model[at(0.2)] == pytest.approx((2 - 1 / 4) / 5)
    assert found.treat_all[at(0.2)] == pytest.approx((2 - 3 / 4) / 5)
    assert found.model[at(0.5)] == pytest.approx((1 - 1) / 5)
    assert found.model[at(0.9)] == pytest.approx(1 / 5)
    assert found.model[at(0.95)] == 0


def test_scores_past_every_threshold_treat_all():
    targets = np.array([1.0, 0, 0, 0])
    found = curve(targets, np.full(4, 0.995))
    assert found.model == pytest.approx(found.treat_all)
    assert found.treat_all[at(0.25)] == pytest.approx(0)  # where the threshold is the prevalence


def test_known_chances_are_worth_at_least_what_treating_all_or_none_is():
    generator = np.random.default_rng(0)
    chances = np.repeat(generator.random(200), 100)
    targets = np.tile(np.arange(100) / 100 + 0.005, 200) < chances  # as often as the chance says
    found = curve(targets.astype(float), chances)
    assert (found.model >= np.maximum(found.treat_all, 0) - 0.002).all()


def test_the_thresholds_are_whole_percents():
    assert decision_curve.THRESHOLDS[[0, 28, -1]].tolist() == [0.01, 0.29, 0.99]
