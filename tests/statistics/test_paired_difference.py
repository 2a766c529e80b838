from __future__ import annotations

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
    found = paired_auroc_difference(targets, champion, challenger, groups, 0.95, 300, 1)
    expected = roc_auc_score(targets, challenger) - roc_auc_score(targets, champion)
    assert found.value == pytest.approx(expected)
    assert 0 < found.low < found.value < found.high


def test_the_same_scores_differ_by_nothing(scored):
    targets, champion, groups = scored
    assert paired_auroc_difference(targets, champion, champion, groups, 0.95, 200, 1) == (0, 0, 0)


def test_pairing_is_narrower_than_two_separate_intervals(scored):
    targets, champion, groups = scored
    nearly = champion + np.random.default_rng(1).normal(0, 0.05, 400)
    found = paired_auroc_difference(targets, champion, nearly, groups, 0.95, 300, 1)
    assert found.high - found.low < 0.01


def test_several_outputs_are_averaged(scored):
    targets, champion, groups = scored
    both = np.stack([targets, 1 - targets], axis=1)
    old = np.stack([champion, -champion], axis=1)
    new = np.stack([champion + targets, -champion], axis=1)
    one = paired_auroc_difference(targets, champion, champion + targets, groups, 0.95, 200, 1)
    found = paired_auroc_difference(both, old, new, groups, 0.95, 200, 1)
    assert found == pytest.approx([x / 2 for x in one])
