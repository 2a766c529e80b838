from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.statistics.intervals import (
    UNDEFINED,
    Estimate,
    Interval,
    combine,
    correlation,
    ratio,
    wilson,
)


def estimate(value: float, low: float, high: float, *totals: float) -> Estimate:
    return Estimate(Interval(value, low, high), np.array(totals))


@pytest.mark.parametrize(
    ("hits", "images", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_values(hits, images, low, high):
    """Newcombe 1998, Stat. Med. 17:857, table I, method 3."""
    found = wilson(hits / images, images, 0.95)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_perfect_share_has_width():
    assert wilson(1.0, 10, 0.95) == pytest.approx((1.0, 0.7225, 1.0), abs=5e-5)


def test_a_difference_of_independent_shares_is_that_of_newcombe():
    """56 of 70 against 48 of 80: Newcombe 1998, Stat. Med. 17:873, table II, method 10."""
    first, second = wilson(56 / 70, 70, 0.95), wilson(48 / 80, 80, 0.95)
    apart = [Estimate(first, np.array([1.0, 0])), Estimate(second, np.array([0, 1.0]))]
    found = combine(apart, [1, -1]).interval
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_a_figure_minus_itself_is_nothing():
    one = estimate(0.8, 0.7, 0.9, 1, -1, 2)
    assert combine([one, one], [1, -1]).interval == pytest.approx((0, 0, 0))


def test_the_mean_of_what_varies_together_is_no_narrower():
    one, other = estimate(0.8, 0.7, 0.9, 1, -1), estimate(0.6, 0.5, 0.7, 2, -2)
    assert combine([one, other], [0.5, 0.5]).interval == pytest.approx((0.7, 0.6, 0.8))
    apart = estimate(0.6, 0.5, 0.7, 1, 1)
    narrow = combine([one, apart], [0.5, 0.5]).interval
    assert (narrow.low, narrow.high) == pytest.approx(
        (0.7 - 0.05 * math.sqrt(2), 0.7 + 0.05 * math.sqrt(2))
    )


def test_figures_that_do_not_vary_are_tied_to_none():
    tied = correlation(np.array([[1.0, -1, 0], [-2, 2, 0], [0, 0, 0]]))
    assert tied == pytest.approx(np.array([[1, -1, 0], [-1, 1, 0], [0, 0, 1]]))


def test_a_ratio_holds_what_both_ends_allow():
    found = ratio(estimate(0.2, 0.1, 0.3), estimate(0.8, 0.7, 0.9))
    assert found.value == pytest.approx(0.25)
    assert 0.1 / 0.9 < found.low < 0.25 < found.high < 0.3 / 0.7
    assert ratio(estimate(0.0, 0.0, 0.1), estimate(0.8, 0.7, 0.9)).low == pytest.approx(0)
    assert ratio(estimate(0.2, 0.1, 0.3), estimate(0.4, 0.0, 0.8)).high == math.inf
    assert ratio(estimate(0.2, 0.1, 0.3), estimate(0.0, 0.0, 0.2)) is UNDEFINED


def test_a_value_that_is_not_defined_becomes_null():
    assert Interval(0.12345678, math.nan, 1.0).to_json() == {
        "value": pytest.approx(0.123457, abs=1e-9),
        "low": None,
        "high": 1.0,
    }
