import math

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from tasks.statistics import recalibration
from tasks.statistics.recalibration import Recalibration

SHIFTS = {"binary": (-1.5,), "multilabel": (-1.5, 0.0, 2.0), "multiclass": ()}


def draw(kind: str, true: float, count: int = 4000, shifts=(0.0,)):
    """Outcomes as likely as the scores say at the temperature `true`, moved by `shifts`."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (count, 1 if kind == "binary" else 3))
    if kind == "multiclass":
        chances = softmax(logits / true, axis=1)
        places = (generator.random((count, 1)) > chances.cumsum(axis=1)).sum(axis=1)
        return np.eye(3)[places], softmax(logits, axis=1)
    chances = expit(logits / true + shifts)
    return (generator.random(logits.shape) < chances).astype(float), expit(logits)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass"])
@pytest.mark.parametrize("true", [0.5, 2.5])
def test_what_the_outcomes_were_drawn_with_is_found(kind, true):
    targets, scores = draw(kind, true, shifts=SHIFTS[kind])
    found = recalibration.fit(kind, targets, scores)
    assert found.temperature == pytest.approx(true, rel=0.06)
    assert found.shifts == pytest.approx(SHIFTS[kind], abs=0.2)
    assert recalibration.fit(kind, targets, scores) == found


def test_it_is_platts_logistic_regression_on_the_logit():
    targets, scores = draw("binary", 2.5, count=60, shifts=(-1.5,))
    logits, ill = np.log(scores / (1 - scores)), targets[:, 0]
    many, others = ill.sum(), (1 - ill).sum()
    share = np.where(ill > 0, (many + 1) / (many + 2), 1 / (others + 2))
    line = LogisticRegression(C=np.inf, tol=1e-10).fit(
        np.tile(logits, (2, 1)), np.repeat([1, 0], 60), np.concatenate([share, 1 - share])
    )
    found = recalibration.fit("binary", targets, scores)
    assert found.temperature == pytest.approx(1 / line.coef_[0, 0], abs=1e-3)
    assert found.shifts[0] == pytest.approx(line.intercept_[0], abs=1e-3)


def test_scores_of_classes_weighed_alike_come_back_to_how_frequent_these_are():
    """A network that saw a rare finding weighed 19 times as much says 19 times the odds."""
    generator = np.random.default_rng(1)
    ill = generator.random(20_000) < 0.05
    logits = generator.normal(np.where(ill, 1.0, -1.0), 1.4142)[:, None]  # odds of equal classes
    found = recalibration.fit("binary", ill[:, None].astype(float), expit(logits))
    assert found.shifts[0] == pytest.approx(-math.log(19), abs=0.15)
    after = recalibration.apply("binary", expit(logits), found)
    assert expit(logits).mean() > 0.25
    assert after.mean() == pytest.approx(ill.mean(), abs=1e-3)


def test_known_scores_by_a_known_recalibration():
    odds = recalibration.apply(
        "binary", np.array([[0.9], [0.5], [0.1]]), Recalibration(2.0, (0.0,))
    )
    assert odds[:, 0] == pytest.approx([3 / 4, 1 / 2, 1 / 4])  # the square root of odds of 9
    moved = recalibration.apply("binary", np.array([[0.5]]), Recalibration(1.0, (math.log(3),)))
    assert moved[0, 0] == pytest.approx(3 / 4)
    shares = recalibration.apply(
        "multiclass", np.array([[0.64, 0.32, 0.04]]), Recalibration(2.0, ())
    )
    roots = np.sqrt([0.64, 0.32, 0.04])
    assert shares[0] == pytest.approx(roots / roots.sum())


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_neither_the_area_nor_the_answer_changes(kind):
    targets, scores = draw(kind, 2.5)
    given = Recalibration(2.5, SHIFTS[kind])
    changed = recalibration.apply(kind, scores, given)
    if kind == "multiclass":
        assert (changed.argmax(axis=1) == scores.argmax(axis=1)).all()
        return
    assert roc_auc_score(targets, changed) == roc_auc_score(targets, scores)
    past = recalibration.apply(kind, np.array([[0.3]]), given)
    assert ((changed >= past) == (scores >= 0.3)).all()


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize(("gap", "moved"), [(0.5, 0.0), (3.0, 0.0), (12.0, 0.0), (1.5, 2.0)])
def test_scores_that_part_val_get_as_sure_as_its_images_can_vouch_for(kind, gap, moved):
    targets = np.repeat([[0.0], [1.0]], 20, axis=0)
    logits = np.concatenate([-gap - np.linspace(0, 1, 20), gap + np.linspace(0, 1, 20)]) + moved
    scores = expit(logits)[:, None]
    if kind == "multiclass":
        targets, scores = np.hstack([1 - targets, targets]), np.hstack([1 - scores, scores])
        scores = np.clip(scores, 1e-7, None)
    after = recalibration.apply(kind, scores, recalibration.fit(kind, targets, scores))[:, -1]
    if kind == "binary" or not moved:
        assert after[20:].mean() == pytest.approx(21 / 22, abs=0.015)
        assert after[:20].mean() == pytest.approx(1 / 22, abs=0.015)
    assert after[20:].max() < 0.9999


def test_scores_that_tell_nothing_stay_as_they_are():
    targets = np.repeat([[0.0], [1.0]], 20, axis=0)
    scores = np.concatenate([np.linspace(0.6, 0.9, 20), np.linspace(0.1, 0.4, 20)])[:, None]
    assert recalibration.fit("binary", targets, scores) == recalibration.identity("binary", 1)


def test_scores_of_nought_and_one_stay_finite():
    changed = recalibration.apply("binary", np.array([[0.0], [1.0]]), Recalibration(3.0, (1.0,)))
    assert [math.isfinite(x) and 0 < x < 1 for x in changed[:, 0]] == [True, True]


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass"])
def test_the_loss_left_is_that_of_the_recalibrated_scores(kind):
    targets, scores = draw(kind, 2.5, shifts=SHIFTS[kind])
    ones = np.ones((2, scores.shape[1]))
    after = recalibration.apply(kind, scores, recalibration.fit(kind, targets, scores))
    left = recalibration.loss_left(kind, targets, scores, ones)
    assert left == pytest.approx(recalibration.loss(kind, targets, after, ones), rel=1e-5)
    assert left < 0.9 * recalibration.loss(kind, targets, scores, ones)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_of_scores_that_part_val_the_further_apart_leave_less(kind):
    targets = np.repeat([[0.0], [1.0]], 20, axis=0)
    left = []
    for gap in (0.1, 1.0, 4.0):
        away = gap + np.linspace(0, 1, 20)
        scores = expit(np.concatenate([-away, away]))[:, None]
        given = targets, scores
        if kind == "multiclass":
            given = tuple(np.hstack([1 - one, one]) for one in given)
        left.append(recalibration.loss_left(kind, *given, np.ones((2, given[0].shape[1]))))
    assert left[0] > left[1] + 1e-3 > left[2] + 2e-3


def test_the_loss_weighs_classes():
    targets, scores = draw("binary", 1.0)
    weights = np.array([[1.0], [5.0]])
    each = np.where(targets[:, 0] > 0, 5.0, 1.0)
    expected = log_loss(targets[:, 0], scores[:, 0], sample_weight=each) * each.mean()
    assert recalibration.loss("binary", targets, scores, weights) == pytest.approx(expected)


def test_neither_sureness_nor_a_move_of_all_scores_counts_in_the_loss_left():
    targets, scores = draw("multilabel", 2.5)
    ones = np.ones((2, 3))
    other = recalibration.apply("multilabel", scores, Recalibration(0.8, (1.0, -0.5, 0.25)))
    found = [
        recalibration.loss_left("multilabel", targets, given, ones) for given in (scores, other)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-4)
