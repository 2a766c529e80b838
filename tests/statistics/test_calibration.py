import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tasks.statistics import calibration
from tasks.statistics.patients import Patients


def draw(count: int = 2000, seed: int = 0):
    generator = np.random.default_rng(seed)
    scores = generator.random(count)
    return (generator.random(count) < scores).astype(float), scores


def test_calibration_error_of_known_bins():
    # Two bins: scores 0.2 with 1 of 4 positive (off by 0.05), scores 0.9 with 1 of 2 (off by 0.4).
    scores = np.array([0.2, 0.2, 0.2, 0.2, 0.9, 0.9])
    outcomes = np.array([1.0, 0, 0, 0, 1, 0])
    assert calibration.error(outcomes, scores) == pytest.approx((4 * 0.05 + 2 * 0.4) / 6)


def test_calibrated_scores_have_next_to_no_error_and_a_slope_of_one():
    outcomes, scores = draw(50_000)
    assert calibration.error(outcomes, scores) < 0.01
    found = calibration.slope(outcomes, scores, Patients(np.arange(50_000)), 0.95)
    assert found.low < 1 < found.high
    assert found.value == pytest.approx(1, abs=0.03)


def test_the_slope_is_that_of_a_logistic_regression():
    outcomes, scores = draw()
    sure = scores**2 / (scores**2 + (1 - scores) ** 2)  # twice the logit
    found = calibration.slope(outcomes, sure, Patients(np.arange(2000)), 0.95)
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(calibration.logit(sure)[:, None], outcomes)
    assert found.value == pytest.approx(fitted.coef_[0, 0], abs=1e-6)
    assert found.value == pytest.approx(0.5, abs=0.05)


def test_the_slope_of_alike_images_is_as_uncertain_as_that_of_patients():
    outcomes, scores = draw(300)
    one = calibration.slope(outcomes, scores, Patients(np.arange(300)), 0.95)
    four = [np.repeat(x, 4) for x in (outcomes, scores)]
    assert calibration.slope(*four, Patients(np.repeat(np.arange(300), 4)), 0.95) == pytest.approx(
        one
    )


def test_scores_that_part_the_outcomes_have_no_slope():
    outcomes = np.repeat([0.0, 1.0], 20)
    for scores in (np.linspace(0.1, 0.9, 40), np.full(40, 0.5)):
        assert np.isnan(calibration.slope(outcomes, scores, Patients(np.arange(40)), 0.95)).all()
