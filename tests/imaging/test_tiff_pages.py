"""Which pages of a TIFF are pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from worlds.tiff_pictures import (
    GREY,
    INKS,
    RGB,
    TAGS,
    WIDTH,
    check,
    numbers,
    written,
)
from worlds.tiffs import build

from tasks.common.errors import DecodeError
from tasks.imaging import tiff_pages
from tasks.imaging.decoding import decode, decode_deep
from tasks.imaging.deidentification import deidentify
from tasks.privacy.pseudonyms import Pseudonyms


def test_pages_of_different_kinds():
    pages = [GREY, numbers("u2", 3), numbers("f4", 1)[:20], INKS[:9], GREY > 60]
    kinds = ["minisblack", "rgb", "minisblack", "separated", "miniswhite"]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page, kind in zip(pages, kinds, strict=True):
            writer.write(page, photometric=kind, metadata=None)
    content = buffer.getvalue()
    for frame in (0, 1, 2):
        np.testing.assert_array_equal(decode_deep(content, frame), pages[frame], strict=True)
    assert decode_deep(content, 3).shape == (9, WIDTH, 3)
    assert np.array_equal(decode_deep(content, 4), (GREY <= 60) * 255)
    assert np.array_equal(decode_deep(content), pages[2])
    with pytest.raises(DecodeError, match="5 pages"):
        deidentify(content, Pseudonyms(b"a key"))


@pytest.mark.parametrize("kind", [1, 4])  # another page made smaller, a mask of one
def test_thumbnails_and_masks_are_no_pages(kind):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RGB, photometric="rgb", metadata=None)
        for _ in range(2):
            writer.write(GREY > 60, photometric="minisblack", subfiletype=kind, metadata=None)
    check(buffer.getvalue(), RGB)


def test_thumbnail_alone_is_the_picture():
    check(written(RGB, photometric="rgb", subfiletype=1), RGB)


def test_pages_are_counted_up_to_a_limit(monkeypatch):
    content = build(*[(TAGS, [GREY.tobytes()])] * 3)
    assert np.array_equal(decode(content), GREY)
    monkeypatch.setattr(tiff_pages, "MOST_PAGES", 2)
    with pytest.raises(DecodeError, match="at most 2"):
        decode(content)
