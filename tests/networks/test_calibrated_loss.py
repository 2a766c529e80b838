import numpy as np
import pytest
from scipy.special import expit, softmax

from tasks.networks.calibrated_loss import CalibratedLoss
from tasks.networks.losses import cross_entropy
from tasks.statistics import temperature

pytestmark = pytest.mark.usefixtures("repeatable")
ROWS, TOO_SURE = 400, 6.0
ONES = np.ones((2, 3), np.float32)


def examples(kind):
    """Targets and scores `(N, 3)` that are right more often than not, and far too sure."""
    random = np.random.default_rng(5)
    one_hot = np.eye(3)[random.integers(0, 3, ROWS)]
    targets = one_hot if kind == "multiclass" else np.maximum(one_hot, np.roll(one_hot, 1, 0))
    logits = TOO_SURE * (targets - 0.4 + random.normal(0, 0.6, targets.shape))
    return targets, softmax(logits, axis=1) if kind == "multiclass" else expit(logits)


def measured(kind, weights, targets, scores):
    """By batches."""
    metric = CalibratedLoss(cross_entropy(kind, weights), kind)
    for rows in np.array_split(np.arange(ROWS), 7):
        metric.update_state(targets[rows], scores[rows])
    return float(metric.result())


def plain(kind, targets, scores):
    loss = cross_entropy(kind, ONES)
    return float(np.mean(loss(targets.astype(np.float32), scores.astype(np.float32))))


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_it_is_the_loss_at_the_fitted_temperature(kind):
    targets, scores = examples(kind)
    fitted = temperature.fit(kind, targets, scores)
    expected = plain(kind, targets, temperature.apply(kind, scores, fitted))
    assert expected < 0.9 * plain(kind, targets, scores)
    assert measured(kind, ONES, targets, scores) == pytest.approx(expected, rel=2e-3)


def test_classes_weigh_as_in_the_loss():
    targets, scores = examples("multilabel")
    weights = np.array([[1, 1, 1], [5, 1, 1]], np.float32)
    heavy, light = (measured("multilabel", each, targets, scores) for each in (weights, ONES))
    assert heavy > 1.2 * light


def test_how_sure_scores_are_does_not_count():
    """The same order at another temperature."""
    targets, scores = examples("multilabel")
    surer = temperature.apply("multilabel", scores, 0.5)
    found = [measured("multilabel", ONES, targets, given) for given in (scores, surer)]
    assert found[0] == pytest.approx(found[1], rel=2e-3)
