"""What is taken of a tree, and what is passed by and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.sources import tree
from tasks.sources.tree import Tree


def grow(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"1")
    return root


def taken(found: Tree) -> list[str]:
    return [found.name(file) for file in found.files(found.root)]


def test_hidden_and_clutter_are_passed_by_with_their_files(tmp_path):
    hidden = [".DS_Store", "a/Thumbs.db", "a/.ipynb_checkpoints/1-checkpoint.png", "a/@eaDir/x/1"]
    hidden += ["__MACOSX/a/._1.png", "a/desktop.ini", "DICOMDIR"]
    found = Tree(grow(tmp_path, "a/1.png", "DICOMDIR_1/2.png", *hidden), [])
    assert taken(found) == ["DICOMDIR_1/2.png", "a/1.png"]
    assert found.passed_by == {tree.HIDDEN: set(hidden)}


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*_mask.png", ["a/1.png", "b/masks/2.png"]),
        ("masks", ["a/1.png", "a/1_mask.png"]),
        ("masks/", ["a/1.png", "a/1_mask.png"]),
        ("**/masks/**", ["a/1.png", "a/1_mask.png"]),
        ("masks/*.png", ["a/1.png", "a/1_mask.png"]),
        ("a/*", ["b/masks/2.png"]),
        ("[ab]", []),
        ("A", ["a/1.png", "a/1_mask.png", "b/masks/2.png"]),
    ],
)
def test_patterns_are_compared_from_the_right(tmp_path, pattern, left):
    found = Tree(grow(tmp_path, "a/1.png", "a/1_mask.png", "b/masks/2.png"), [pattern])
    assert taken(found) == left
    assert len(found.passed_by[tree.EXCLUDED]) == 3 - len(left)
    by_name = Tree(tmp_path, [pattern])
    names = ["a/1.png", "a/1_mask.png", "b/masks/2.png"]
    assert [name for name in names if not by_name.excludes(name)] == left


def test_a_pattern_matches_letters_however_they_are_composed(tmp_path):
    assert taken(Tree(grow(tmp_path, "e\u0301/1.png", "b/2.png"), ["\u00e9"])) == ["b/2.png"]


def test_a_pattern_that_matches_nothing_is_told_by_its_place(tmp_path):
    found = Tree(grow(tmp_path, "a/1.png"), ["a", "Smith*", "x/*"])
    taken(found)
    assert found.notes() == [
        "pull.exclude: nothing matches pattern 2, 3, by its place there",
        "passed by: 1 files by pull.exclude",
    ]


def test_links_to_folders_are_followed_once_and_without_a_loop(tmp_path):
    root = grow(tmp_path / "root", "a/1.png", "a/deep/2.png", "b/3.png")
    grow(tmp_path / "store", "4.png", "more/5.png")
    (root / "a/out").symlink_to(tmp_path / "store")
    (root / "a/out_again").symlink_to(tmp_path / "store")
    (root / "a/deep/itself").symlink_to(root / "a/deep")
    (root / "a/deep/up").symlink_to(root)
    (tmp_path / "store/more/back").symlink_to(tmp_path / "store")
    (root / "a/6.png").symlink_to(root / "b/3.png")
    found = Tree(root, [])
    names = [found.name(file) for file in found.files(root / "a")]
    assert names == ["a/1.png", "a/6.png", "a/deep/2.png", "a/out/4.png", "a/out/more/5.png"]
    assert found.notes()[0] == "followed: 1 links to folders"
    assert found.passed_by == {
        tree.READ_ANYWAY: {"a/out_again", "a/deep/itself", "a/deep/up", "a/out/more/back"}
    }


def test_a_link_that_leads_nowhere_is_counted(tmp_path):
    grow(tmp_path, "a/1.png")
    (tmp_path / "a/2.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "a/3.png")
    found = Tree(tmp_path, [])
    assert taken(found) == ["a/1.png"]
    assert found.passed_by == {tree.NO_FILE: {"a/2.png", "a/3.png"}}


def test_the_receipt_of_a_fetched_series_is_not_told(tmp_path):
    found = Tree(grow(tmp_path, "1.2/a.dcm", f"1.2/{tree.RECEIPT}"), [])
    assert (taken(found), found.passed_by) == (["1.2/a.dcm"], {})
