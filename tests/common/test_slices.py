from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.common import slices

TABLE = pd.DataFrame(
    {
        "image_id": ["a", "b", "c", "d"],
        "sex": ["F", "M", None, "F"],
        "site": ["north"] * 4,
        "slice_ward": ["2", "10", "2", "2"],
        "device": [None, "x", "y", "x"],
    }
)


def test_slices_are_the_known_columns_and_what_a_source_adds():
    assert slices.further(TABLE) == ["slice_ward"]
    assert slices.compared(TABLE) == ["sex", "slice_ward", "device"]  # one site compares nothing
    assert slices.column_of("ward") == "slice_ward"
    assert [slices.name_of(column) for column in ("slice_ward", "sex")] == ["ward", "sex"]


def test_each_slice_has_its_rows_and_numbers_are_in_order():
    found = {name: rows.tolist() for name, rows in slices.each(TABLE)}
    assert list(found) == [
        *("sex=F", "sex=M", "slice_ward=2", "slice_ward=10", "device=x", "device=y"),
    ]
    assert found["sex=F"] == [True, False, False, True]
    assert found["device=y"] == [False, False, True, False]


def test_what_is_missing_is_in_no_slice():
    columns = {"sex": np.array(["F", None, float("nan"), "M"], object)}
    assert slices.nested(columns, np.sum) == {"sex": {"F": 1, "M": 1}}
