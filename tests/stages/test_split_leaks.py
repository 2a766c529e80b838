"""Copies of pictures on two sides of the source's own split."""

from __future__ import annotations

import pytest
from worlds.split import (
    LOOSE,
    SETTINGS,
    TASK,
    alike,
    given,
    leaky,
    receipt,
    split_of,
    to_manifest,
    together,
)

from tasks.common import manifest
from tasks.common.errors import LeakError
from tasks.splitting import joining
from tasks.splitting.receipt import summary

PICTURES = {f"t{k}": "train" for k in range(40)} | {"e": "test", "f": "test", "n": None}
COPIES = [("i0-0", "i0-40"), ("i0-41", "i0-42")]  # t0 is e; f is n


def test_the_sources_sides_are_never_mixed_by_a_later_copy():
    first = given({f"t{k}": "train" for k in range(20)} | {"e": "test", "v": "val"})
    second = given({"late": "train", "loose": None}, batch=1)
    images = together(first, second)
    like = alike(images, ("i0-20", "i1-0"), ("i0-20", "i1-1"))
    for mode in ("fail", "drop", "report"):
        table = to_manifest(images, leaky(mode), TASK, like).set_index("image_id")
        assert table["status"]["i1-0"] == "quarantined"
        assert table["split"]["i1-1"] == table["split"]["i0-20"] == "test"


def test_pictures_on_two_sides_of_the_source_fail():
    images = given(PICTURES)
    with pytest.raises(LeakError, match=r"^1 pair of the same picture stand on two sides"):
        to_manifest(images, SETTINGS, TASK, alike(images, *COPIES))


def test_pictures_on_two_sides_of_the_source_cost_the_train_side():
    images = given(PICTURES | {"t0": ("train", "train")})
    like = alike(images, ("i0-0", "i0-41"), ("i0-42", "i0-43"))
    table = to_manifest(images, leaky("drop"), TASK, like)
    assert list(table.index[table["status"] != "ok"]) == [0]
    assert table["reason"][0] == manifest.LEAK
    sides = table.set_index("patient_id")["split"].dropna()
    assert sides["t0"] in ("train", "val")  # its other picture
    assert sides["e"] == sides["n"] == sides["f"] == "test"
    assert (table.groupby("group")["split"].nunique() == 1).all()
    numbers = receipt(table, leaky("drop"), TASK, like)
    assert numbers["dropped"]["train"]["images"] == 1
    assert {count for counts in numbers["shared"].values() for count in counts.values()} == {0}


def test_faulty_pictures_on_two_sides_are_no_leak_and_move_nobody():
    """Nobody learns from them; were they joined, the other pictures of e would leave the test."""
    images = given(PICTURES | {"e": ("test", "test")}).assign(mean=100.0)
    images.loc[0, "mean"] = 1.0
    table = to_manifest(images, SETTINGS, TASK, alike(images, ("i0-0", "i0-40")))
    assert list(table.index[table["status"] != "ok"]) == [0]
    assert list(table["split"][40:42]) == ["test", "test"]
    assert (table["group"] == table["patient_id"]).all()


def test_pictures_of_batches_that_move_has_placed_stay_on_one_side():
    images = given(PICTURES)
    table = to_manifest(images, leaky("drop from batch 1"), TASK, alike(images, *COPIES))
    sides = table.set_index("patient_id")["split"]
    assert sides["e"] == sides["t0"] != "test"
    assert sides["n"] == sides["f"] == "test"
    assert (table.groupby("group")["split"].nunique() == 1).all()


def test_what_was_not_seen_before_joins_nobody_and_costs_the_earlier_side():
    """Its groups may be settled: of one batch the image on the earlier side goes, else the newer
    one.
    """
    first = given(LOOSE)
    before = split_of(first)
    by_side = {side: before[before == side].index for side in ("train", "val", "test")}
    a, b, c, d = (*by_side["train"][:2], by_side["val"][0], by_side["test"][0])
    second = given({f"m{k}": None for k in range(20)}, batch=1)
    images = together(first, second)
    alone = split_of(images)
    later = next(name for name in alone.index[40:] if alone[name] == "test")
    like = alike(images, (a, d), (b, c), (d, c), (b, later), late=True)
    table = to_manifest(images, SETTINGS, TASK, like).set_index("image_id")
    assert set(table.index[table["status"] != "ok"]) == {a, b, c}
    assert set(table["reason"].dropna()) == {joining.APART}
    assert (table["group"] == table["patient_id"]).all()
    assert table["split"].dropna().equals(alone.drop([a, b, c]))
    newer = to_manifest(images, SETTINGS, TASK, alike(images, (b, later), late=True))
    assert list(newer["image_id"][newer["status"] != "ok"]) == [later]


def test_a_late_leak_of_the_source_is_one_like_any_other():
    images = given(PICTURES)
    like = alike(images, *COPIES, late=True)
    with pytest.raises(LeakError, match=r"^1 pair of the same picture stand on two sides"):
        to_manifest(images, SETTINGS, TASK, like)
    for mode in ("drop", "drop from batch 1"):
        table = to_manifest(images, leaky(mode), TASK, like)
        assert table["reason"][0] == manifest.LEAK
        assert table["split"][40] == "test"
    table = to_manifest(images, leaky("report"), TASK, like)
    assert (table["split"][0], table["split"][40]) == ("train", "test")


def test_pictures_on_two_sides_of_the_source_are_reported():
    images = given(PICTURES)
    like = alike(images, *COPIES)
    table = to_manifest(images, leaky("report"), TASK, like)
    sides = table.set_index("patient_id")["split"]
    assert (sides["t0"], sides["e"], sides["f"], sides["n"]) == ("train", "test", "test", "test")
    numbers = receipt(table, leaky("report"), TASK, like)
    assert numbers["pictures_on_two_sides"] == 1
    assert numbers["shared"]["train and test"] == {"patients": 0, "groups": 1, "duplicates": 1}
    assert "1 pair of the same picture stand on two sides" in summary(numbers)


def test_a_reported_leak_of_pictures_is_cut_to_val_no_more_than_one_of_patients():
    """Each training patient has an image without a side, and a picture that a test patient has."""
    sides = {f"t{k:02}": ("train", None) for k in range(40)} | {f"u{k}": "train" for k in range(40)}
    images = given(sides | {f"e{k}": "test" for k in range(40)})
    like = alike(images, *[(f"i0-{2 * k}", f"i0-{120 + k}") for k in range(40)])
    table = to_manifest(images, leaky("report"), TASK, like)
    assert set(table["split"][:80]) == {"train"}
    assert set(table["split"][80:120]) == {"train", "val"}
    assert set(table["split"][120:]) == {"test"}


def test_a_patient_who_joined_another_stays_there_whatever_the_source_says_later():
    first = given({f"t{k}": "train" for k in range(20)} | {"e": "test"})
    second = given({"f": None}, batch=1)
    third = given({"f": "train"}, batch=2)
    images = together(first, second, third)
    table = to_manifest(images, leaky("report"), TASK, alike(images, ("i0-20", "i1-0")))
    assert list(table["split"][-2:]) == ["test", "test"]
