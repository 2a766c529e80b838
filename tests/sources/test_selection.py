"""Which images of a series are brought."""

from __future__ import annotations

import pytest

from tasks.sources.selection import chosen


@pytest.mark.parametrize(
    ("count", "take", "indices"),
    [
        (3, "all", [0, 1, 2]),
        (5, "middle", [2]),
        (4, "middle", [2]),
        (1, "middle", [0]),
        (11, "every 5", [0, 5, 10]),
        (3, "every 5", [0]),
        (3, "every 1", [0, 1, 2]),
        (0, "all", []),
        (0, "middle", []),
        (0, "every 5", []),
    ],
)
def test_chosen_indices(count, take, indices):
    assert chosen(count, take) == indices
