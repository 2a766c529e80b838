from __future__ import annotations

import pytest

from tasks.common.wording import allowed, interval, number
from tasks.pictures import page


@pytest.mark.parametrize(
    ("given", "shown"),
    [(0.95812, "0.958"), (None, "-"), (0, "0.000"), (-0.0004, "0.000"), (-0.0006, "-0.001")],
)
def test_metrics_have_three_decimals_and_zero_no_sign(given, shown):
    assert number(given) == shown


def test_an_interval_without_ends_is_the_value():
    assert interval({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.500 (0.250 to 0.750)"
    assert interval({"value": 0.5, "low": None, "high": None}) == "0.500"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, "-"),
        ([], "-"),
        (True, "yes"),
        (3_400_000, "3,400,000"),
        (0.0001, "0.0001"),
        ([224, 224], "224, 224"),
        ({"train_val": 0, "train_test": 3}, "train_val 0, train_test 3"),
        ("NORMAL", "NORMAL"),
    ],
)
def test_values_are_worded(given, shown):
    assert page.worded(given) == shown


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ({}, "no exception"),
        ({"min_value": 0, "max_value": 0}, "no exception"),
        ({"min_value": 5, "max_value": 250}, "5 to 250"),
        ({"min_value": 2}, "2 or more"),
        ({"max_value": 0.05}, "0.05 or less"),
        ({"max_value": 0}, "no exception"),
        ({"min_value": 224, "max_value": 224}, "224"),
        ({"value_set": ["train", "val"]}, "train, val"),
    ],
)
def test_limits_are_worded(limits, shown):
    assert allowed(limits) == shown


def test_keys_become_headings():
    assert [page.heading(key) for key in ("val_auroc", "slice_ward", "images")] == [
        "Val AUROC",
        "Ward",
        "Images",
    ]


def test_a_grid_keeps_the_names_of_the_data():
    items = {"train": {"images": 5, "classes": {"NORMAL": 2}}, "test": {"images": 3, "groups": 3}}
    assert page.grid(items) == (
        ["Images", "NORMAL", "Groups"],
        [("train", [5, 2, None]), ("test", [3, None, 3])],
    )


def test_fields_of_ours_are_headings_in_their_table():
    assert page.grid({"age_band": {"auroc": 0.8}}, fields=True).rows == [("Age band", [0.8])]


def test_tables_are_told_from_values():
    items = {"splits": {"train": {"images": 5}}, "auroc": {"value": 1}, "shared": {"a": 0}, "n": 1}
    assert list(page.grids(items)) == ["Splits"]
    assert list(page.pairs(items)) == ["AUROC", "Shared", "N"]
