import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tasks.statistics.patients import Patients
from tasks.statistics.precision_recall import auprc


@pytest.fixture
def scored():
    generator = np.random.default_rng(0)
    targets = (generator.random(90) < 0.3).astype(float)
    return targets, np.round(generator.normal(targets), 1)


def test_the_value_is_that_of_scikit_learn(scored):
    found = auprc(*scored, Patients(np.arange(90)), 0.95).interval
    assert found.value == pytest.approx(average_precision_score(*scored), abs=1e-12)
    assert found.low < found.value < found.high


def test_the_influence_is_the_gradient(scored):
    targets, scores = scored
    totals = auprc(targets, scores, Patients(np.arange(90)), 0.95).totals
    plain = average_precision_score(targets, scores)
    step = 1e-6
    for image in range(0, 90, 7):
        weights = np.ones(90)
        weights[image] += step
        change = average_precision_score(targets, scores, sample_weight=weights) - plain
        assert totals[image] == pytest.approx(change / step, abs=1e-5)


def test_a_perfect_one_has_width_and_one_without_positives_is_not_defined():
    targets = np.repeat([1.0, 0.0], [20, 40])
    found = auprc(targets, targets, Patients(np.arange(60)), 0.95).interval
    assert found.value == found.high == 1
    assert 0.7 < found.low < 0.9
    assert np.isnan(auprc(0 * targets, targets, Patients(np.arange(60)), 0.95).interval).all()
