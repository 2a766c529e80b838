from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tasks.statistics import areas
from tasks.statistics.areas import area, combined
from tasks.statistics.patients import Patients


def draw(seed: int, count: int = 120, apart: float = 1.0):
    """Targets and scores with ties."""
    generator = np.random.default_rng(seed)
    targets = (np.arange(count) % 3 == 0).astype(float)
    return targets, np.round(generator.normal(targets * apart), 1)


def delong_variance(targets, scores) -> float:
    """The plain formula of DeLong et al. 1988, over all pairs."""
    pairs = scores[targets > 0][:, None] - scores[targets == 0]
    won = (pairs > 0) + 0.5 * (pairs == 0)
    return won.mean(axis=1).var(ddof=1) / len(won) + won.mean(axis=0).var(ddof=1) / won.shape[1]


def test_the_value_is_that_of_scikit_learn():
    targets, scores = draw(0)
    expected = roc_auc_score(targets, scores)
    assert areas.auroc(targets, scores) == pytest.approx(expected, abs=1e-12)
    assert area(targets, scores, Patients(np.arange(120))).value == pytest.approx(
        expected, abs=1e-12
    )
    assert math.isnan(areas.auroc(np.zeros(3), np.arange(3.0)))


def test_the_influence_gives_the_variance_of_delong():
    """To the factors n / (n - 1), which stand per outcome there and once here."""
    targets, scores = draw(1, 600)
    patients = Patients(np.arange(600))
    found = patients.variance(area(targets, scores, patients).totals)
    assert found == pytest.approx(delong_variance(targets, scores), rel=0.01)


def test_a_perfect_area_has_the_width_of_newcombe():
    """With 10 positives and 10 negatives and no pair out of order: (1 - x)^2 = t^2 V(x) there, V of
    his method 5 and t = 2.262, Student's at 9 degrees of freedom.
    """
    targets, groups = np.repeat([1.0, 0.0], 10), np.arange(20)
    found = combined([area(targets, targets, Patients(groups))], [1], 0.95)
    assert (found.value, found.high) == (1, 1)
    x = found.low
    variance = x * (1 - x) * (1 + 9 * ((1 - x) / (2 - x) + x / (1 + x))) / 100
    assert (1 - x) ** 2 == pytest.approx(2.262157**2 * variance, rel=1e-5)
    assert 0.7 < x < 0.85


def test_images_of_one_patient_make_it_wider():
    targets, scores = draw(2, 60)
    alone = combined([area(targets, scores, Patients(np.arange(60)))], [1], 0.95)
    copies = [np.repeat(x, 4) for x in (targets, scores)]
    together = combined([area(*copies, Patients(np.repeat(np.arange(60), 4)))], [1], 0.95)
    apart = combined([area(*copies, Patients(np.arange(240)))], [1], 0.95)
    assert together == pytest.approx(alone, abs=0.01)
    assert apart.high - apart.low < 0.7 * (together.high - together.low)


@pytest.mark.parametrize(("apart", "auroc"), [(1.0, 0.760), (3.0, 0.983)])
def test_the_interval_holds_the_truth_as_often_as_it_says(apart, auroc):
    inside = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        targets = np.repeat(np.arange(60) % 2, 3).astype(float)
        own = np.repeat(generator.normal(size=60), 3)
        scores = (own + generator.normal(size=180)) / math.sqrt(2) + apart * targets
        found = combined([area(targets, scores, Patients(np.repeat(np.arange(60), 3)))], [1], 0.95)
        inside += found.low <= auroc <= found.high
    assert 0.92 <= inside / 200 <= 0.99


def test_the_mean_of_an_area_and_itself_is_the_area():
    targets, scores = draw(3)
    one = area(targets, scores, Patients(np.arange(120)))
    assert combined([one, one], [0.5, 0.5], 0.95) == pytest.approx(combined([one], [1], 0.95))
    assert all(math.isnan(x) for x in combined([], [], 0.95))


def test_the_ends_stay_where_areas_can_be():
    targets = np.repeat([1.0, 0.0], [2, 40])
    scores = np.linspace(1, 0, 42)
    for given in (scores, -scores):
        found = combined([area(targets, given, Patients(np.arange(42)))], [1], 0.95)
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.high - found.low > 0.1
