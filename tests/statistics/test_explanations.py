from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from tasks.statistics import explanations
from tasks.statistics.intervals import wilson

GROUPS = np.arange(40)


def test_a_share_of_patients_has_wilsons_interval():
    found = explanations.figure(np.arange(40) < 30, GROUPS, 0.95)
    assert found == pytest.approx(wilson(0.75, 40, 0.95))


def test_a_mean_that_may_be_negative_has_its_interval_on_the_same_scale():
    found = explanations.figure(np.where(np.arange(40) < 30, 1.0, -1.0), GROUPS, 0.95, least=-1)
    assert found == pytest.approx([2 * x - 1 for x in wilson(0.75, 40, 0.95)])


def test_images_of_nine_patients_have_no_interval():
    found = explanations.figure(np.ones(40), GROUPS % 9, 0.95)
    assert found.value == 1
    assert np.isnan(found.low)


def by_masks(low, chance):
    return {"pointing": {"low": low}, "pointing_by_chance": chance}


@pytest.mark.parametrize(
    ("masks", "gain", "verdict"),
    [
        (by_masks(0.25, 0.2), -1.0, True),
        (by_masks(0.2, 0.2), 1.0, False),
        (by_masks(None, 0.2), 0.01, True),
        (None, 0.0, False),
        (None, None, None),
    ],
)
def test_masks_decide_before_scores(masks, gain, verdict):
    assert explanations.beats_chance(masks, {"mean": {"low": gain}}) is verdict


def test_ranks_are_spearmans():
    first, second = np.random.default_rng(0).random((2, 6, 7, 7)).round(1)
    first[0] = 0
    found = explanations.rank_correlation(first, second)
    expected = [
        spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(first[1:], second[1:], strict=True)
    ]
    assert found[0] == 0
    assert np.allclose(found[1:], expected)
