import numpy as np
import pytest
from scipy.special import expit

from benchmarks.youden import of_images
from tasks.statistics.youden import bandwidth, threshold


def draw(seed, count=200, apart=3.0):
    """Scores whose best threshold is 0.5."""
    random = np.random.default_rng(seed)
    targets = (random.random(count) < 0.5).astype(float)
    return targets, expit(random.normal(apart * (targets - 0.5), 1.0))


def test_it_is_where_the_classes_meet_and_spreads_less_than_that_of_the_images():
    smoothed, steps = (
        np.array([logit_of(choose(*draw(seed))) for seed in range(60)])
        for choose in (threshold, of_images)
    )
    assert smoothed.mean() == pytest.approx(0, abs=0.1)
    assert smoothed.std() < 0.7 * steps.std()


def logit_of(score):
    return np.log(score / (1 - score))


def test_classes_that_scores_part_are_parted():
    targets, scores = draw(0, apart=30.0)
    assert ((scores >= threshold(targets, scores)) == (targets > 0)).all()
    found = threshold(np.array([0.0, 1.0]), expit(np.array([-1.0, 3.0])))
    assert logit_of(found) == pytest.approx(1, abs=0.02)  # in the middle


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_images_and_equal_scores_have_one_too(count):
    targets = np.repeat([0.0, 1.0], count)
    assert 0.2 < threshold(targets, np.repeat([0.2, 0.9], count)) <= 0.9
    for score in np.linspace(0, 1, 23, dtype=np.float32):
        equal = np.full(2 * count, score)
        assert (equal >= threshold(targets, equal)).all()
    saturated = threshold(targets, np.repeat([0.0, 1.0], count).astype(np.float32))
    assert 0 < saturated < 1


def test_a_single_image_far_off_moves_little():
    """Of 100 healthy ones the one with the highest score."""
    targets, scores = draw(3)
    before = threshold(targets, scores)
    scores[np.flatnonzero(targets == 0)[0]] = expit(9.0)
    assert logit_of(threshold(targets, scores)) == pytest.approx(logit_of(before), abs=0.1)


def test_the_bandwidth_is_silvermans():
    logits = np.random.default_rng(0).normal(0, 2, 10_000)
    assert bandwidth(logits) == pytest.approx(0.9 * 2 * 10_000**-0.2, rel=0.05)
    heavy = np.concatenate([np.zeros(90), np.full(10, 5.0)])  # half of them are equal
    assert bandwidth(heavy) == pytest.approx(0.9 * heavy.std(ddof=1) * 100**-0.2)
    assert bandwidth(np.ones(4)) == bandwidth(np.ones(1)) == 0
