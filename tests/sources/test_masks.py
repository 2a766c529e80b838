"""Masks are told from pictures by their names, and only beside their picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.sources import masks


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("benign (1).png", "benign (1)_mask.png"),  # as BUSI has them
        ("benign (1).png", "benign (1)_mask_1.png"),
        ("a.jpg", "a_segmentation.PNG"),
        ("a.dcm", "a-seg.png"),
        ("a.png", "a_Label.tif"),
        ("deep/a.png", "deep/a_gt.bmp"),
        ("images/a.png", "masks/a.png"),  # as the COVID-19 radiography database
        ("images/a.jpg", "Masks/a_mask.png"),
        ("a.png", "mask/a.png"),
        ("deep/images/a.png", "deep/ground_truth/a.png"),
    ],
)
def test_a_mask_beside_its_picture(picture, mask):
    files = [Path("class", picture), Path("class", mask)]
    assert masks.among(files) == {files[1]: files[0]}


@pytest.mark.parametrize(
    "names",
    [
        ["a_mask.png", "b.png"],
        ["a.png", "deep/a_mask.png"],
        ["a.png", "a_masked.png", "a_1.png", "unmask.png"],
        ["masks/a.png", "images/b.png"],
        ["left/a.png", "right/a.png"],
        ["a.png", "mask.png", "_mask.png"],
    ],
)
def test_what_has_no_picture_beside_it_is_one(names):
    assert masks.among(Path("class", name) for name in names) == {}


def test_a_class_may_be_called_masks():
    assert masks.among([Path("masks/a.png"), Path("masks/deep/a.png")]) == {}
