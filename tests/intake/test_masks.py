"""Masks come with a pull beside their images, and are no images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from worlds.pull import SOURCE, cohort, file_id, image, run, tree

from tasks.common import paths
from tasks.intake import cohort as tables
from tasks.intake import purge


def mask(name: str) -> None:
    pixels = np.zeros((16, 16), np.uint8)
    pixels[4:8, 4:8] = 255
    assert cv2.imwrite(str(SOURCE / name), pixels)


@pytest.mark.usefixtures("source")
def test_a_mask_lies_beside_its_image_and_is_none():
    mask("sick/Smith_0_mask.png")
    images = len([path for path in SOURCE.rglob("*.png") if "mask" not in path.stem])
    summary = run()
    table = cohort().set_index("image_id")
    file = file_id(SOURCE / "sick/Smith_0.png")
    assert (summary.new, summary.masks) == (images, 1)
    assert table["mask"].dropna().to_dict() == {file: f"{file[:2]}/{file}.mask.png"}
    kept = cv2.imread(str(paths.RAW / table.loc[file, "mask"]), cv2.IMREAD_UNCHANGED)
    assert (kept == cv2.imread(str(SOURCE / "sick/Smith_0_mask.png"), cv2.IMREAD_UNCHANGED)).all()
    assert "1 new masks of findings" in str(summary)


@pytest.mark.usefixtures("source")
def test_a_mask_may_come_later_and_stays_as_it_came():
    run()
    mask("sick/Smith_0_mask.png")
    assert (run().masks, run().masks) == (1, 0)
    before = tree()
    image("sick/Smith_0_mask.png", seed=99)  # no mask any more
    assert run().refused_masks == 0
    assert tree() == before


@pytest.mark.usefixtures("source")
def test_what_is_no_mask_is_counted_and_left_out():
    image("sick/Smith_0_mask.png", seed=99)
    summary = run()
    assert (summary.masks, summary.refused_masks) == (0, 1)
    assert "1 masks are left out" in str(summary)
    assert cohort()["mask"].isna().all()


@pytest.mark.usefixtures("source")
def test_a_mask_goes_with_its_image():
    mask("sick/Smith_0_mask.png")
    run()
    table = cohort()
    tables.sweep(table[table["mask"].isna()])
    assert not list(paths.RAW.rglob("*.mask.png"))


def test_a_withdrawn_file_is_known_by_its_mask_too():
    image_id = "ab" * 32
    names = [f"ab/{image_id}.png", f"ab/{image_id}.mask.png", f"ab/{image_id}.dcm"]
    assert {purge._file(name) for name in names} == {image_id}
