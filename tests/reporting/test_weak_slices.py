from __future__ import annotations

from types import SimpleNamespace

import pytest

from tasks.reporting import weak_slices

FLOORS = SimpleNamespace(slice_auroc=0.7, slice_sensitivity=0.5)
WHOLE = {"auroc": {"value": 0.95}, "sensitivity": {"value": 0.877}}


def figure(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def found(auroc, sensitivity):
    one = {"auroc": auroc, "sensitivity": sensitivity, "images": 24}
    return weak_slices.find(WHOLE | {"slices": {"slice_ward": {"north": one}}}, FLOORS)


@pytest.mark.parametrize(
    ("auroc", "sensitivity", "weak"),
    [
        (figure(0.95), figure(0.877), []),
        (figure(0.91), figure(0.78), []),
        (figure(0.89), figure(0.78), ["auroc"]),
        (figure(0.91), figure(0.77), ["sensitivity"]),
        (figure(None), figure(None), []),
        (figure(0.6), figure(0.0), ["auroc", "sensitivity"]),
    ],
)
def test_weak_is_what_lies_clearly_below_the_whole(auroc, sensitivity, weak):
    assert [one.figure for one in found(auroc, sensitivity)] == weak


def test_what_lies_below_the_floor_is_weak_however_low_the_whole():
    whole = {"auroc": {"value": 0.72}, "sensitivity": {"value": 0.52}}
    one = {"auroc": figure(0.69), "sensitivity": figure(0.49), "images": 30}
    weak = weak_slices.find(whole | {"slices": {"sex": {"F": one}}}, FLOORS)
    assert [one.figure for one in weak] == ["auroc", "sensitivity"]
    assert weak[0].told() == (
        "Sex F, 30 images: AUROC 0.690, below the 0.720 of all test images and below the floor "
        "0.7; with so few patients this may be chance"
    )


@pytest.mark.parametrize(
    ("sensitivity", "below"),
    [
        (0.0, "0.000, below the 0.400 of all test images and below the floor 0.5"),
        (0.45, "0.450, below the floor 0.5"),
    ],
)
def test_it_is_told_what_it_is_below(sensitivity, below):
    whole = {"auroc": {"value": 0.72}, "sensitivity": {"value": 0.4}}
    one = {"auroc": figure(0.8), "sensitivity": figure(sensitivity), "images": 30}
    (weak,) = weak_slices.find(whole | {"slices": {"sex": {"F": one}}}, FLOORS)
    assert f"sensitivity {below};" in weak.told()


def test_only_what_the_interval_shows_is_told_without_a_doubt_and_stands_first():
    first, second = found(figure(0.8, 0.7, 0.96), figure(0.6, 0.5, 0.7))
    assert first.told() == (
        "Ward north, 24 images: sensitivity 0.600 (0.500 to 0.700), below the 0.877 of all test "
        "images"
    )
    assert second.told().endswith(
        "AUROC 0.800 (0.700 to 0.960), below the 0.950 of all test "
        "images; with so few patients this may be chance"
    )
