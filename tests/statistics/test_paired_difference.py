from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tasks.statistics.paired_difference import paired_auroc_difference


@pytest.fixture
def scored():
    generator = np.random.default_rng(0)
    targets = (generator.random(400) < 0.5).astype(float)
    champion = generator.normal(targets, 1.5)
    return targets, champion, np.arange(400) // 2


def test_the_value_is_the_difference_of_both_aurocs(scored):
    targets, champion, groups = scored
    challenger = champion + targets
    found = paired_auroc_difference(targets, champion, challenger, groups, 0.95)
    expected = roc_auc_score(targets, challenger) - roc_auc_score(targets, champion)
    assert found.value == pytest.approx(expected)
    assert 0 < found.low < found.value < found.high


def test_the_same_scores_differ_by_nothing(scored):
    targets, champion, groups = scored
    found = paired_auroc_difference(targets, champion, champion, groups, 0.95)
    assert found == pytest.approx((0, 0, 0), abs=1e-9)


def test_pairing_is_narrower_than_two_separate_intervals(scored):
    targets, champion, groups = scored
    nearly = champion + np.random.default_rng(1).normal(0, 0.05, 400)
    found = paired_auroc_difference(targets, champion, nearly, groups, 0.95)
    assert found.high - found.low < 0.01


def test_two_perfect_models_differ_by_nothing_but_may(scored):
    """They order no pair otherwise, and it is not known how alike they are."""
    targets, _, groups = scored
    found = paired_auroc_difference(targets, targets, targets * 2 + 1, groups, 0.95)
    assert found.value == 0
    assert -0.1 < found.low <= 0 <= found.high < 0.1


def test_several_outputs_are_averaged(scored):
    targets, champion, groups = scored
    both = np.stack([targets, 1 - targets], axis=1)
    old = np.stack([champion, -champion], axis=1)
    new = np.stack([champion + targets, -champion], axis=1)
    one = paired_auroc_difference(targets, champion, champion + targets, groups, 0.95)
    found = paired_auroc_difference(both, old, new, groups, 0.95)
    assert found.value == pytest.approx(one.value / 2)
    assert found.high - found.low == pytest.approx((one.high - one.low) / 2, rel=0.1)


def test_too_few_patients_give_no_interval(scored):
    targets, champion, _ = scored
    found = paired_auroc_difference(targets, champion, champion, np.arange(400) % 9, 0.95)
    assert found.value == 0
    assert math.isnan(found.low)
    nothing = paired_auroc_difference(0 * targets, champion, champion, np.arange(400), 0.95)
    assert math.isnan(nothing.value)


def test_a_model_worse_by_the_margin_seldom_passes():
    """Near 1, where the percentile bootstrap lets 0.08 of them pass (nominal 0.025)."""
    passed, rounds = 0, 200
    far, near = 2.6597, 2.3262  # apart: AUROC 0.97 and 0.95
    for seed in range(rounds):
        generator = np.random.default_rng(seed)
        targets = np.repeat(np.arange(50) % 2, 4).astype(float)

        def noise(generator=generator):
            own = np.repeat(generator.normal(size=50), 4)
            return (own + generator.normal(size=200)) / math.sqrt(2)

        shared = noise() * math.sqrt(0.8)
        old, new = (shared + noise() * math.sqrt(0.2) + d * targets for d in (far, near))
        found = paired_auroc_difference(targets, old, new, np.repeat(np.arange(50), 4), 0.95)
        passed += found.low > -0.02
    assert passed / rounds <= 0.025 + 2 * math.sqrt(0.025 * 0.975 / rounds)
