from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from tasks.statistics import proportions
from tasks.statistics.intervals import wilson
from tasks.statistics.patients import Patients

FIGURES = {
    proportions.sensitivity: lambda y, p: sk.recall_score(y, p),
    proportions.specificity: lambda y, p: sk.recall_score(1 - y, 1 - p),
    proportions.ppv: lambda y, p: sk.precision_score(y, p),
    proportions.npv: lambda y, p: sk.precision_score(1 - y, 1 - p),
    proportions.f1: lambda y, p: sk.f1_score(y, p),
    proportions.balanced_accuracy: lambda y, p: sk.balanced_accuracy_score(y, p),
    proportions.mcc: lambda y, p: sk.matthews_corrcoef(y, p),
}


@pytest.fixture
def answered():
    generator = np.random.default_rng(0)
    y = (generator.random(150) < 0.4).astype(float)
    return y, np.where(generator.random(150) < 0.85, y, 1 - y), Patients(np.arange(150) // 2)


@pytest.mark.parametrize("figure", FIGURES)
def test_values_are_those_of_scikit_learn(answered, figure):
    y, predicted, patients = answered
    found = figure(y, predicted, patients, 0.95).interval
    assert found.value == pytest.approx(FIGURES[figure](y, predicted), abs=1e-9)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("figure", FIGURES)
def test_the_influence_is_the_gradient(answered, figure):
    """One patient twice changes the figure by his share of its influence."""
    y, predicted, patients = answered
    totals = figure(y, predicted, patients, 0.95).totals
    value = FIGURES[figure](y, predicted)
    for patient in (0, 7, 33):
        again = np.r_[np.arange(150), 2 * patient, 2 * patient + 1]
        change = FIGURES[figure](y[again], predicted[again]) - value
        if figure is not proportions.f1:  # its totals are those of the Jaccard index
            assert change == pytest.approx(totals[patient], abs=3e-4)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_perfect_figure_has_width(figure):
    y = np.tile([1.0, 0.0], 30)
    found = figure(y, y, Patients(np.arange(60)), 0.95).interval
    assert found.value == found.high == 1
    assert 0.8 < found.low < 0.97


@pytest.mark.parametrize("figure", FIGURES)
def test_without_what_it_is_a_share_of_it_is_not_defined(figure):
    found = figure(np.zeros(4), np.zeros(4), Patients(np.arange(4)), 0.95).interval
    if figure in (proportions.specificity, proportions.npv):
        assert found.value == 1
    else:
        assert np.isnan(found).all()


def test_independent_images_give_the_plain_wilson_interval():
    hits = np.repeat([1.0, 0.0], [81, 182])
    found = proportions.mean(hits, Patients(np.arange(263)), 0.95).interval
    assert found == pytest.approx(wilson(81 / 263, 263, 0.95), abs=1e-3)


def test_images_of_a_patient_that_agree_count_as_one():
    hits = np.repeat([1.0, 0.0], [40, 20])
    found = proportions.mean(np.repeat(hits, 4), Patients(np.repeat(np.arange(60), 4)), 0.95)
    assert found.interval == pytest.approx(wilson(2 / 3, 60, 0.95), abs=0.01)


def test_predictive_values_follow_bayes():
    """Altman & Bland 1994: sensitivity 0.90, specificity 0.70, at a prevalence of 0.25 they give
    0.50 and 0.95.
    """
    y = np.repeat([1.0, 0.0], [100, 100])
    predicted = np.repeat([1.0, 0, 1, 0], [90, 10, 30, 70])
    patients = Patients(np.arange(200))
    sides = [
        f(y, predicted, patients, 0.95) for f in (proportions.sensitivity, proportions.specificity)
    ]
    ppv, npv = proportions.predictive_values(*sides, 0.25)
    assert (ppv.value, npv.value) == pytest.approx((0.5, 0.9545), abs=5e-5)
    assert ppv.low < 0.5 < ppv.high
    assert npv.low < 0.9545 < npv.high
