from __future__ import annotations

import numpy as np
import pytest

from tasks.common.errors import DecodeError
from tasks.imaging import levels
from tasks.imaging.levels import spread, stretch


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"])
def test_whole_range_of_a_type_is_spread(dtype):
    """The difference of the ends of a signed type is none of its numbers."""
    whole = np.iinfo(dtype) if dtype[0] in "iu" else None
    low, high = (whole.min, whole.max) if whole else (-1e30, 1e30)
    middle = low // 2 + high // 2
    values = np.array([low] * 50 + [middle] * 100 + [high] * 50, dtype)
    assert np.unique(spread(values)).tolist() in ([0, 127, 255], [0, 128, 255])
    two = np.array([low] * 199 + [high], dtype)  # the upper percentile lies between them
    assert spread(two).tolist() == [0] * 199 + [255]


@pytest.mark.parametrize(("dtype", "low"), [("u8", 2**64 - 256), ("u8", 2**63), ("i8", -(2**63))])
def test_neighbours_among_the_largest_numbers_are_told_apart(dtype, low):
    steps = np.arange(256).repeat(10)
    values = (steps.astype(object) + low).astype(dtype)
    assert np.array_equal(spread(values), spread(steps))


def test_no_finite_numbers_are_refused():
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(DecodeError, match="no finite"):
            spread(np.array([0.0, 1.0, value]))
    with pytest.raises(DecodeError, match="further apart"):
        spread(np.array([-1.7e308, 1.7e308]))


def test_parts_are_stretched_as_the_whole(monkeypatch):
    values = np.arange(-500, 500, dtype=np.int16).reshape(4, 10, 25)
    whole = stretch(values, -300, 299.5)
    monkeypatch.setattr(levels, "PART", 7)
    assert np.array_equal(stretch(values, -300, 299.5), whole)
    expected = np.rint(np.clip((values + 300.0) / 599.5, 0, 1) * 255)
    assert np.array_equal(whole, expected)
    assert np.array_equal(stretch(values[..., ::-1], -300, 299.5), whole[..., ::-1])
