from __future__ import annotations

import io

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image

from tasks.common.errors import DecodeError
from tasks.common.params.pixels import PixelSettings
from tasks.imaging.decoding import decode
from tasks.imaging.jpeg import decode_reduced, read_header
from tasks.imaging.preparation import prepare
from tasks.imaging.resizing import resize

SIZE = [56, 64]
GREY = PixelSettings(size=SIZE, color="grey", window=None)
RGB = GREY.model_copy(update={"color": "rgb"})


@pytest.fixture(scope="module")
def radiograph() -> np.ndarray:
    """Soft shapes, ribs and noise, `(787, 701)` uint8: neither side is a multiple of anything."""
    rows, columns = np.mgrid[-1:1:787j, -1:1:701j]
    body = 200 * np.exp(-(columns**2) * 1.5 - rows**2)
    ribs = 30 * np.sin(25 * rows + 6 * columns**2)
    noise = np.random.default_rng(5).normal(0, 5, rows.shape)
    return np.clip(body + ribs + noise, 0, 255).astype(np.uint8)


def jpeg(picture, **options):
    exif = Image.Exif()
    exif[0x0112] = options.pop("orientation", 1)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", exif=exif, **{"quality": 92} | options)
    return buffer.getvalue()


def in_full(content, settings):
    """What `prepare` would give without decoding at a reduced scale."""
    image = decode(content)
    if image.ndim == 3 and settings.color == "grey":
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return resize(image, *settings.size).reshape(*settings.size, -1)


def require_close(one, other):
    difference = np.abs(one.astype(int) - other)
    assert difference.mean() <= 0.5
    assert np.percentile(difference, 99.9) <= 3
    assert difference.max() <= 12


@pytest.mark.parametrize("progressive", [False, True])
def test_reduced_decode_comes_within_the_stated_tolerance(radiograph, progressive):
    content = jpeg(radiograph, progressive=progressive)
    assert decode_reduced(content, SIZE).factor == 4
    require_close(prepare(content, GREY).pixels, in_full(content, GREY))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_picture_is_turned_as_exif_says(radiograph, orientation):
    colors = np.dstack([radiograph, radiograph // 2, 255 - radiograph])
    content = jpeg(colors, orientation=orientation, subsampling=0)
    made = prepare(content, RGB)
    assert (made.height, made.width) == decode(content).shape[:2]
    require_close(made.pixels, in_full(content, RGB))


def test_whole_multiples_hardly_differ_even_in_noise():
    noise = np.random.default_rng(1).integers(0, 256, (56 * 12, 64 * 12), dtype=np.uint8)
    content = jpeg(noise)
    assert decode_reduced(content, SIZE).factor == 4
    difference = prepare(content, GREY).pixels.astype(int) - in_full(content, GREY)
    assert np.abs(difference).max() <= 3


def test_scale_keeps_twice_the_size_on_both_axes(radiograph):
    for side, factor in ((127, None), (255, None), (256, 2), (511, 2), (512, 4), (1024, 8)):
        for picture in (np.zeros((side, 3000), np.uint8), np.zeros((3000, side), np.uint8)):
            reduced = decode_reduced(jpeg(picture), SIZE)
            assert (reduced and reduced.factor) == factor


@pytest.mark.parametrize("over", range(17))
def test_any_size_fits(over):
    height, width = 2 * 8 * 64 + over, 2 * 8 * 64 + 3 * over
    reduced = decode_reduced(jpeg(np.zeros((height, width), np.uint8)), [64, 64])
    assert reduced.factor == 8
    assert reduced.fitted(reduced.pixels, [64, 64]).shape == (64, 64)


def test_size_of_the_original_and_colours_survive(radiograph):
    grey = prepare(jpeg(np.dstack([radiograph] * 3)), GREY)
    assert (grey.height, grey.width, grey.colored) == (787, 701, False)
    tinted = prepare(jpeg(np.dstack([radiograph // 2, radiograph, radiograph])), GREY)
    assert tinted.colored


def test_only_8_bits_of_grey_or_rgb_are_reduced(radiograph, encode):
    assert decode_reduced(encode(".png", radiograph), SIZE) is None
    cmyk = io.BytesIO()
    Image.fromarray(np.dstack([radiograph] * 3)).convert("CMYK").save(cmyk, "JPEG")
    assert decode_reduced(cmyk.getvalue(), SIZE) is None
    deep = imagecodecs.jpeg8_encode(radiograph.astype(np.uint16) << 4, bitspersample=12)
    assert read_header(deep) is None


def test_header_of_a_damaged_file(radiograph):
    content = jpeg(radiograph, orientation=6)
    assert read_header(content) == (787, 701, 1, 6, False)
    for cut in range(0, 700, 7):
        assert read_header(content[:cut]) in (None, (787, 701, 1, 6, False))
    assert decode_reduced(content[: len(content) // 2], SIZE) is None


def test_size_past_all_reason_is_refused(radiograph):
    content = jpeg(radiograph)
    for size, why in ((b"\xff\xf0\xff\xf0", "at most 100,000,000"), (b"\0\0\0\0", "damaged")):
        start = content.index(b"\xff\xc0") + 5
        with pytest.raises(DecodeError, match=why):
            prepare(content[:start] + size + content[start + 4 :], GREY)
