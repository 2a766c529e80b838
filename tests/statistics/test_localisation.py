from __future__ import annotations

import numpy as np
import pytest

from tasks.statistics.localisation import locate

SIZE = 224


def heat_at(row, column):
    heat = np.zeros((SIZE, SIZE), np.float32)
    heat[row, column] = 1
    return heat


@pytest.fixture
def mask():
    found = np.zeros((SIZE, SIZE), bool)
    found[100, 100] = True
    return found


@pytest.mark.parametrize(("column", "hit"), [(100, True), (115, True), (116, False)])
def test_a_point_may_be_15_pixels_off(mask, column, hit):
    assert locate(heat_at(100, column), mask).hit is hit


def test_chance_is_the_share_of_the_points_that_would_hit(mask):
    """709 points with whole coordinates lie in a circle of radius 15 (Gauss's circle problem)."""
    assert locate(heat_at(0, 0), mask).hit_by_chance == pytest.approx(709 / SIZE**2)


def test_even_heat_has_the_energy_of_chance():
    mask = np.zeros((SIZE, SIZE), bool)
    mask[:56] = True
    found = locate(np.ones((SIZE, SIZE), np.float32), mask)
    assert found.energy == pytest.approx(0.25)
    assert found.energy_by_chance == 0.25
    assert locate(heat_at(10, 10), mask).energy == 1


def test_without_heat_nothing_is_hit(mask):
    mask[0, 0] = True
    found = locate(np.zeros((SIZE, SIZE), np.float32), mask)
    assert (found.hit, found.energy) == (False, 0)
