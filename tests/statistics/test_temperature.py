import math

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tasks.statistics import temperature


def draw(kind: str, true: float, count: int = 4000, outputs: int = 3):
    """Outcomes as likely as the scores say at the temperature `true`."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (count, 1 if kind == "binary" else outputs))
    if kind == "multiclass":
        chances = softmax(logits / true, axis=1)
        places = (generator.random((count, 1)) > chances.cumsum(axis=1)).sum(axis=1)
        return np.eye(outputs)[places], softmax(logits, axis=1)
    return (generator.random(logits.shape) < expit(logits / true)).astype(float), expit(logits)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass"])
@pytest.mark.parametrize("true", [0.5, 2.5])
def test_the_temperature_that_the_outcomes_were_drawn_at_is_found(kind, true):
    targets, scores = draw(kind, true)
    found = temperature.fit(kind, targets, scores)
    assert found == pytest.approx(true, rel=0.06)
    assert temperature.fit(kind, targets, scores) == found


def test_it_is_one_over_the_slope_of_a_logistic_regression_through_the_origin():
    targets, scores = draw("binary", 2.5)
    logits = np.log(scores / (1 - scores))
    line = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    slope = line.fit(logits, targets[:, 0]).coef_[0, 0]
    assert temperature.fit("binary", targets, scores) == pytest.approx(1 / slope, abs=1e-4)


def test_known_scores_at_a_known_temperature():
    odds = temperature.apply("binary", np.array([[0.9], [0.5], [0.1]]), 2.0)[:, 0]
    assert odds == pytest.approx([3 / 4, 1 / 2, 1 / 4])  # the square root of odds of 9
    shares = temperature.apply("multiclass", np.array([[0.64, 0.32, 0.04]]), 2.0)
    roots = np.sqrt([0.64, 0.32, 0.04])
    assert shares[0] == pytest.approx(roots / roots.sum())


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_neither_the_area_nor_the_answer_changes(kind):
    targets, scores = draw(kind, 2.5)
    changed = temperature.apply(kind, scores, 2.5)
    assert (changed.argmax(axis=1) == scores.argmax(axis=1)).all()
    if kind == "binary":
        assert roc_auc_score(targets, changed) == roc_auc_score(targets, scores)
        past = temperature.apply(kind, np.array([[0.3]]), 2.5)
        assert ((changed >= past) == (scores >= 0.3)).all()


@pytest.mark.parametrize("right", [True, False])
def test_without_a_best_temperature_nothing_changes(right):
    targets = np.repeat([[0.0], [1.0]], 20, axis=0)
    sure = np.linspace(0.6, 0.9, 20)
    scores = np.concatenate([1 - sure, sure])[:, None]
    assert temperature.fit("binary", targets if right else 1 - targets, scores) == 1.0


def test_scores_of_nought_and_one_stay_finite():
    changed = temperature.apply("binary", np.array([[0.0], [1.0]]), 3.0)
    assert [math.isfinite(x) and 0 < x < 1 for x in changed[:, 0]] == [True, True]
