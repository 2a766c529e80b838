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
    """Also where the network is even elsewhere, by which it is moved a little."""
    drawn = [draw(seed) for seed in range(60)]
    steps = np.array([logit_of(of_images(*each)) for each in drawn])
    for own in (-1.0, 1.0):
        smoothed = np.array([logit_of(threshold(*each, expit(own))) for each in drawn])
        assert 0 < own * smoothed.mean() < 0.4
        assert smoothed.std() < 0.7 * steps.std()


def test_a_network_that_is_even_where_the_classes_meet_says_where():
    chosen = [logit_of(threshold(*draw(seed), 0.5)) for seed in range(60)]
    assert np.mean(np.abs(chosen) < 1e-9) > 0.5
    assert max(np.abs(chosen)) < 0.6


def logit_of(score):
    return np.log(score / (1 - score))


def test_classes_that_scores_part_are_parted():
    targets, scores = draw(0, apart=30.0)
    assert ((scores >= threshold(targets, scores, 0.5)) == (targets > 0)).all()
    between = expit(np.array([-1.0, 3.0]))
    assert threshold(np.array([0.0, 1.0]), between, 0.5) == pytest.approx(0.5)
    for beyond, end in ((0.01, -1), (0.99, 3)):
        found = threshold(np.array([0.0, 1.0]), between, beyond)
        assert logit_of(found) == pytest.approx(end, abs=0.02)
        assert ((between >= found) == [False, True]).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_single_ill_image_is_found_wherever_the_network_is_even(count):
    targets = np.repeat([0.0, 1.0], [count, 1])
    for score in np.linspace(0.01, 0.99, 99):
        scores = np.append(np.full(count, score / 2), score)
        for own in (score, 0.5, 0.999):
            assert scores[-1] >= threshold(targets, scores, own) > scores[0]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_images_and_equal_scores_have_one_too(count):
    targets = np.repeat([0.0, 1.0], count)
    assert 0.2 < threshold(targets, np.repeat([0.2, 0.9], count), 0.5) <= 0.9
    for score in np.linspace(0, 1, 23, dtype=np.float32):
        equal = np.full(2 * count, score)
        assert (equal >= threshold(targets, equal, 0.5)).all()
    saturated = threshold(targets, np.repeat([0.0, 1.0], count).astype(np.float32), 0.5)
    assert 0 < saturated < 1


def test_a_single_image_far_off_moves_little():
    """Of 100 healthy ones the one with the highest score."""
    targets, scores = draw(3)
    before = threshold(targets, scores, 0.7)
    scores[np.flatnonzero(targets == 0)[0]] = expit(9.0)
    assert logit_of(threshold(targets, scores, 0.7)) == pytest.approx(logit_of(before), abs=0.1)


def test_the_bandwidth_is_silvermans():
    logits = np.random.default_rng(0).normal(0, 2, 10_000)
    assert bandwidth(logits) == pytest.approx(0.9 * 2 * 10_000**-0.2, rel=0.05)
    heavy = np.concatenate([np.zeros(90), np.full(10, 5.0)])  # half of them are equal
    assert bandwidth(heavy) == pytest.approx(0.9 * heavy.std(ddof=1) * 100**-0.2)
    assert bandwidth(np.ones(4)) == bandwidth(np.ones(1)) == 0
