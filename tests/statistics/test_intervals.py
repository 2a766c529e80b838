from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.statistics import intervals, weighted
from tasks.statistics.intervals import Interval, bootstrap


def mean_of(values):
    return lambda weights: {"mean": weighted.mean(weights, values)[:, None]}


def auroc_of(targets, scores):
    return lambda weights: {"auroc": weighted.auroc(weights, targets, scores)[:, None]}


def draw(generator, patients: int, images: int):
    """Images that resemble one another within a patient; their true mean is 0."""
    groups = np.repeat(np.arange(patients), images)
    own = generator.normal(size=patients)
    return groups, own[groups] + generator.normal(0, 0.5, size=len(groups))


def coverage(groups_of, rounds: int = 400) -> float:
    generator = np.random.default_rng(0)
    inside = 0
    for seed in range(rounds):
        groups, values = draw(generator, 80, 4)
        found = bootstrap(mean_of(values), groups_of(groups), 0.95, 300, seed)["mean"][0]
        inside += found.low <= 0 <= found.high
    return inside / rounds


def test_the_interval_holds_the_truth_as_often_as_it_says():
    assert 0.92 <= coverage(lambda groups: groups) <= 0.98


def test_resampling_images_instead_of_patients_would_be_too_narrow():
    assert coverage(lambda groups: np.arange(len(groups)), rounds=100) < 0.75


def test_auroc_interval_covers_the_true_auroc():
    generator = np.random.default_rng(3)
    truth, inside = 0.7602, 0  # Phi(1 / sqrt 2) of two normals one deviation apart
    for seed in range(100):
        targets = (np.arange(120) % 3 == 0).astype(float)
        scores = generator.normal(targets)
        found = bootstrap(auroc_of(targets, scores), np.arange(120), 0.9, 300, seed)["auroc"][0]
        inside += found.low <= truth <= found.high
    assert 83 <= inside <= 97


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not():
    groups, values = draw(np.random.default_rng(0), 20, 3)
    first, again, other = (
        bootstrap(mean_of(values), groups, 0.95, 200, seed)["mean"][0] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_all_images_of_a_patient_are_drawn_together(monkeypatch):
    monkeypatch.setattr(intervals, "CHUNK", 40)
    codes = np.array([0, 0, 1, 1, 1, 2, 3])
    weights = np.concatenate(list(intervals.resample(codes, 100, seed=0)))
    assert weights.shape == (100, 7)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, [0, 2, 5, 6]].sum(axis=1) == 4).all()
    assert weights[:, [0, 2, 5, 6]].std() > 0.5


def test_one_patient_has_no_interval():
    found = bootstrap(mean_of(np.arange(5.0)), ["a"] * 5, 0.95, 100, 0)["mean"][0]
    assert found.value == 2
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_resamples_without_a_class_are_left_out():
    targets = np.array([1.0] + [0.0] * 30)  # a third of the resamples lack the one positive
    scores = np.linspace(0.9, 0.1, 31)
    measure = auroc_of(targets, scores)
    found = bootstrap(measure, np.arange(31), 0.95, 200, 0)["auroc"][0]
    assert found == Interval(1.0, 1.0, 1.0)


def test_a_value_that_is_not_defined_becomes_null():
    assert Interval(0.12345678, math.nan, 1.0).to_json() == {
        "value": pytest.approx(0.123457, abs=1e-9),
        "low": None,
        "high": 1.0,
    }
