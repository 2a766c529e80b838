"""Folders of a split above the classes."""

from __future__ import annotations

import pytest
from worlds.folders import grow, pull_of

from tasks.common.errors import SourceError
from tasks.sources import folder


def test_split_folders_may_stand_above_the_classes(tmp_path):
    root = grow(tmp_path, "train/sick/a.png", "val/well/b.png", "test/sick/c.png")
    items = folder.listing(pull_of(root), "binary").items
    assert {(item.source_split, item.label) for item in items} == {
        ("train", "sick"),
        ("val", "well"),
        ("test", "sick"),
    }


@pytest.mark.parametrize(
    ("folders", "sides"),
    [
        (("Training", "Testing"), ("train", "test")),
        (("TRAIN", "Valid"), ("train", "val")),
        (("train_set", "dev"), ("train", "val")),
    ],
)
@pytest.mark.parametrize("above", ["", "chest_xray/", "a/b/"])
def test_split_folders_have_many_names_and_stand_below_single_folders(
    tmp_path, folders, sides, above
):
    """Kaggle's chest_xray/train is one."""
    root = grow(tmp_path, *(f"{above}{folder}/sick/a.png" for folder in folders))
    grow(root, f"{above}{folders[0]}/well/b.png", f"{above}__MACOSX/x/._a.png", "readme.txt")
    listing = folder.listing(pull_of(root), "binary")
    assert {(item.name, item.source_split, item.label) for item in listing.items} == {
        (f"{folders[0]}/sick/a.png", sides[0], "sick"),
        (f"{folders[0]}/well/b.png", sides[0], "well"),
        (f"{folders[1]}/sick/a.png", sides[1], "sick"),
    }
    assert [line.partition(" files")[0] for line in listing.notes] == ["passed by: 1"] * 2


def test_a_split_below_the_classes_is_told_not_to_count(tmp_path):
    root = grow(tmp_path, "sick/train/a.png", "well/train/b.png", "well/Testing/x/c.png")
    listing = folder.listing(pull_of(grow(root, "well/d.png")), "binary")
    assert [item.source_split for item in listing.items] == [None] * 4
    assert listing.notes[0].startswith("3 images lie in folders named as the sides of a split")


@pytest.mark.parametrize(
    ("files", "counted"),
    [
        (["train/sick/a.png", "Smith/b.png"], "under pull.path: 1 folders.*beside 1 others"),
        (["Valid/sick/a.png", "Smith/b.png", "Jones/c.png"], "1 folders.*beside 2 others"),
        (["train/test/a.png", "train/Smith/b.png"], "below those of a split: 1 .*beside 1 others"),
        (["train/train/sick/a.png", "test/test/sick/b.png"], "2 folders.*beside 0 others"),
    ],
)
def test_splits_and_classes_do_not_mix(tmp_path, files, counted):
    with pytest.raises(SourceError, match=counted) as caught:
        folder.listing(pull_of(grow(tmp_path, *files)), "binary")
    assert "pull.exclude" in str(caught.value)
    assert not any(name in str(caught.value) for name in ("Smith", "Jones", str(tmp_path)))


def test_a_copy_of_the_set_in_itself_is_excluded(tmp_path):
    """As Kaggle packs chest_xray.zip: the pattern does not mean the folder above."""
    files = ["train/sick/a.png", "test/well/b.png"]
    root = grow(tmp_path, *(f"chest_xray/{top}{f}" for f in files for top in ("", "chest_xray/")))
    with pytest.raises(SourceError, match=r"2 folders.*beside 1 others"):
        folder.listing(pull_of(root), "binary")
    listing = folder.listing(pull_of(root, exclude=["chest_xray"]), "binary")
    assert [item.name for item in listing.items] == ["test/well/b.png", "train/sick/a.png"]
    assert listing.notes == ["passed by: 2 files by pull.exclude"]
