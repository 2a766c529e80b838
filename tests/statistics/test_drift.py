from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.statistics.drift import compare

PATIENTS = (100, 100)


def one(before, after, patients=PATIENTS):
    """The drift of a single field."""
    (row,) = compare(pd.DataFrame({"x": before}), pd.DataFrame({"x": after}), patients).to_dict(
        "records"
    )
    return row


def test_a_number_by_cohens_d():
    """Means 0 and 0.5, both with standard deviation 1."""
    values = np.linspace(-1, 1, 101)
    values = values / values.std()
    found = one(values, values + 0.5)
    assert found["measure"] == "d of the mean"
    assert found["effect"] == pytest.approx(0.5)
    assert found["size"] == "medium"
    assert (found["before"], found["after"][:8]) == (f"mean {values.mean():.4g}", "mean 0.5")


def test_a_category_by_cohens_h():
    """Cohen 1988, chapter 6: 2 asin(sqrt(0.7)) - 2 asin(sqrt(0.4)) = 0.6129."""
    found = one(["CT"] * 4 + ["MR"] * 6, ["CT"] * 7 + ["MR"] * 3)
    assert found["measure"] == "h of the share"
    assert found["effect"] == pytest.approx(0.6129, abs=1e-4)
    assert (found["before"], found["after"]) == ("CT: 40.0%", "CT: 70.0%")


def test_sizes_that_change_altogether_are_a_large_drift_and_finite():
    found = one([512.0] * 50, [1024.0] * 50)
    assert found["effect"] == pytest.approx(np.pi, abs=1e-3)
    assert found["size"] == "large"


def test_what_is_missing_counts_as_a_category():
    assert one([None, None], ["CT", "CT"])["effect"] == pytest.approx(np.pi, abs=1e-3)
    assert one([12.0, 16.0], [np.nan, np.nan])["effect"] > 2
    assert one(list(np.arange(30.0)), [np.nan] * 30)["after"] == "(missing): 100.0%"


def test_what_stays_alike_does_not_drift():
    random = np.random.default_rng(0)
    values = pd.DataFrame({"a": random.normal(size=400), "b": random.integers(0, 3, 400)})
    found = compare(values[:200], values[200:], (200, 200))
    assert (found["effect"] < found["chance"]).all()
    assert set(found["size"]) <= {"none", "slight"}


def test_few_patients_drift_by_chance_however_many_their_images():
    assert one([1, 2], [1, 2], (4, 100))["chance"] > 1
    assert one([1, 2], [1, 2], (1000, 1000))["chance"] < 0.2


def test_fields_that_nobody_fills_are_left_out_and_the_largest_stands_first():
    before = pd.DataFrame({"none": [None] * 4, "same": list("aabb"), "moved": list("aabb")})
    after = before.assign(moved=list("bbbb"))
    assert list(compare(before, after, PATIENTS)["field"]) == ["moved", "same"]
    assert len(compare(pd.DataFrame(), pd.DataFrame(), (1, 1))) == 0
