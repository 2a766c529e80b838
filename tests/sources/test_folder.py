"""Class folders as a source."""

from __future__ import annotations

import pytest
from worlds.folders import grow, pull_of

from tasks.common.errors import SourceError
from tasks.sources import folder


def test_first_level_folders_are_the_classes(tmp_path):
    root = grow(tmp_path, "sick/b.PNG", "sick/deep/a.dcm", "well/IM0001", "well/.hidden.png")
    items = folder.listing(pull_of(root), "binary").items
    assert [(item.label, item.read()) for item in items] == [
        ("sick", b"sick/b.PNG"),
        ("sick", b"sick/deep/a.dcm"),
        ("well", b"well/IM0001"),
    ]
    assert {item.source_split for item in items} == {None}


def test_files_that_are_no_images_are_counted(tmp_path):
    root = grow(tmp_path, "sick/a.png", "sick/notes.txt", "well/b.png", "well/more.txt")
    listing = folder.listing(pull_of(root), "binary")
    assert len(listing.items) == 2
    assert listing.notes == ["passed by: 2 files that are no images (.txt)"]
    assert listing.details == [
        "files that are no images (.txt):",
        "sick/notes.txt",
        "well/more.txt",
    ]


def test_an_ending_that_may_be_a_name_is_not_told(tmp_path):
    root = grow(tmp_path, "sick/a.png", "sick/scan.Smith", "well/b.Smith^Jane", "well/c.csv")
    listing = folder.listing(pull_of(root), "binary")
    assert listing.notes == [
        "passed by: 1 files that are no images (.csv)",
        "passed by: 2 files that are no images (other)",
    ]


def test_files_named_by_a_uid_or_a_number_are_images(tmp_path):
    root = grow(tmp_path, "sick/1.2.840.113619.2.55.3", "well/IM.0001")
    items = folder.listing(pull_of(root), "binary").items
    assert [item.label for item in items] == ["sick", "well"]


def test_a_single_class_is_not_stepped_into(tmp_path):
    items = folder.listing(pull_of(grow(tmp_path, "sick/p1/a.png", "sick/p2/b.png")), "").items
    assert [(item.name, item.label) for item in items] == [
        ("sick/p1/a.png", "sick"),
        ("sick/p2/b.png", "sick"),
    ]


def test_what_is_passed_by_is_counted_by_its_reason_and_named_in_the_details(tmp_path):
    root = grow(tmp_path, "sick/a.png", "sick/a_mask_1.png", "well/b.png", "well/b_overlay.png")
    grow(root, "sick/.thumbnails/a.png", "well/notes.txt", "c.png", "readme/d.txt")
    listing = folder.listing(pull_of(root, exclude=["*_overlay.png", "readme", "x"]), "binary")
    assert [item.name for item in listing.items] == ["sick/a.png", "well/b.png"]
    assert listing.notes == [
        "pull.exclude: nothing matches pattern 3, by its place there",
        "passed by: 2 files by pull.exclude",
        "passed by: 1 files outside of the class folders",
        "passed by: 1 files that are hidden or a system's own, such as .DS_Store, __MACOSX and "
        "Thumbs.db",
        "passed by: 1 files that are no images (.txt)",
        "passed by: 1 masks of pictures that lie beside them",
    ]
    assert {"readme/d.txt", "c.png", "sick/a_mask_1.png"} <= set(listing.details)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([f"{n}.png" for n in range(150)], "0 class folders, none with an image, 150 images.*into"),
        (["train/a.png", "test/b.png"], "2 folders of a split, 0 class folders.*2 images"),
        (["a.png", "labels.csv"], "1 images outside.*by: 1 tables.*set pull.path to the table"),
        (["sick/a.nii", "well/b.nii"], r"2 class folders.*passed by: 2 files.*\(other\)"),
    ],
)
def test_without_an_image_in_a_class_it_says_what_is_there(tmp_path, files, said):
    with pytest.raises(SourceError, match=said):
        folder.listing(pull_of(grow(tmp_path, *files)), "binary")


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_nothing_there_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="<class>/<files>"):
        folder.listing(pull_of(tmp_path / name), "binary")


@pytest.mark.parametrize("name", ["a.tar.bz2", "a.TXZ", "a.tar.xz", "a.7z", "a.rar", "a.tar.zst"])
def test_archives_that_are_not_read_name_those_that_are(tmp_path, name):
    (tmp_path / name).write_bytes(b"Smith")
    with pytest.raises(SourceError, match=r"required: \.zip, \.tar, \.tar\.gz, \.tgz") as caught:
        folder.listing(pull_of(tmp_path / name), "binary")
    assert str(tmp_path) not in str(caught.value)


def test_masks_go_with_their_pictures(tmp_path):
    grow(tmp_path, "sick/a.png", "sick/a_mask.png", "sick/a_mask_1.png", "sick/b.png")
    a, b = folder.listing(pull_of(tmp_path), "binary").items
    assert {name: read() for name, read in a.masks.items()} == {
        "sick/a_mask.png": b"sick/a_mask.png",
        "sick/a_mask_1.png": b"sick/a_mask_1.png",
    }
    assert b.masks == {}
