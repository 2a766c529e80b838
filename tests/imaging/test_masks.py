from __future__ import annotations

import cv2
import numpy as np
import pytest

from tasks.common.errors import DecodeError
from tasks.imaging import masks


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def with_square(first: int, last: int, white: int = 255) -> np.ndarray:
    mask = np.zeros((40, 60), np.uint8)
    mask[first:last, first:last] = white
    return mask


def test_several_masks_of_a_picture_become_one():
    """Whatever says white: 1, 255, or a colour."""
    colour = np.zeros((40, 60, 3), np.uint8)
    colour[30:32, 30:32, 2] = 255
    whole = masks.unite([png(with_square(2, 6)), png(with_square(10, 12, white=1)), png(colour)])
    expected = with_square(2, 6) | with_square(10, 12) | with_square(30, 32)
    assert (cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_UNCHANGED) == expected).all()


def test_lossy_coding_is_looked_through():
    jpeg = cv2.imencode(".jpg", with_square(8, 32))[1].tobytes()
    united = cv2.imdecode(np.frombuffer(masks.unite([jpeg]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (united == with_square(8, 32)).mean() > 0.99


@pytest.mark.parametrize(
    "contents",
    [
        [b"\x89PNG\r\n\x1a\n Smith"],
        [png(np.random.default_rng(0).integers(0, 255, (40, 60), np.uint8))],
        [png(with_square(2, 6)), png(with_square(2, 6)[:20])],
    ],
    ids=["broken", "a picture", "two sizes"],
)
def test_what_is_no_mask_is_refused(contents):
    with pytest.raises(DecodeError) as caught:
        masks.unite(contents)
    assert "Smith" not in str(caught.value)


def test_a_mask_follows_its_picture_to_another_size():
    found = masks.prepare(png(with_square(10, 20)), (40, 60), (20, 30), "stretch")
    assert found is not None
    assert found[5:10, 5:10].all()
    assert found.sum() == 25


def test_a_mask_stays_on_its_finding_where_the_picture_is_padded():
    found = masks.prepare(png(with_square(10, 20)), (40, 60), (30, 30), "pad")
    assert found is not None
    assert found[10:15, 5:10].all()  # 40 x 60 became 20 x 30, below 5 rows of black
    assert found.sum() == 25


def test_the_smallest_finding_keeps_a_pixel():
    found = masks.prepare(png(with_square(9, 10)), (40, 60), (4, 6), "stretch")
    assert found is not None
    assert found.sum() == 1


def test_without_a_finding_or_of_another_size_there_is_no_mask():
    assert masks.prepare(png(with_square(0, 0)), (40, 60), (20, 30), "stretch") is None
    assert masks.prepare(png(with_square(2, 6)), (60, 40), (20, 30), "stretch") is None
