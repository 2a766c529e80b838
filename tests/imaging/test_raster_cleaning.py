"""De-identification of PNG, JPEG, TIFF and BMP: the pixels stay, the names go."""

from __future__ import annotations

import io
import struct

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from worlds.deidentification import NAME, PIXELS, SECRET, clean, decoded, dicom, encoded, jpeg, png

from tasks.common.errors import DecodeError
from tasks.imaging.decoding import decode
from tasks.imaging.raster_cleaning import _chunk


@pytest.mark.parametrize(("make", "suffix"), [(jpeg, ".jpg"), (png, ".png")])
@pytest.mark.parametrize("orientation", [1, 6])
def test_text_goes_and_pixels_stay(make, suffix, orientation):
    original = make(orientation)
    result = clean(original)
    assert SECRET in original
    assert SECRET not in result.content
    assert result.suffix == suffix
    for flags in (cv2.IMREAD_UNCHANGED, cv2.IMREAD_COLOR):  # the latter turns by orientation
        np.testing.assert_array_equal(
            decoded(original, flags), decoded(result.content, flags), strict=True
        )
    turned = decoded(result.content, cv2.IMREAD_COLOR).shape[0] == PIXELS.shape[1]
    assert turned == (orientation == 6)


def test_png_text_does_not_hide_in_compressed_chunks():
    kinds = set()
    content, at = clean(png()).content, 8
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        kinds.add(kind)
        at += 12 + length
    assert kinds == {b"IHDR", b"gAMA", b"IDAT", b"IEND"}


def test_cleaning_twice_changes_nothing():
    for original in (jpeg(6), png(6), encoded(".bmp"), dicom()):
        once = clean(original).content
        if original[128:132] != b"DICM":  # a DICOM's UIDs are keyed anew
            assert clean(once).content == once
        assert clean(original).content == once


def test_progressive_and_grey_jpeg():
    grey = cv2.imencode(".jpg", PIXELS[..., 0], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    restart = cv2.imencode(".jpg", PIXELS, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes()
    for original in (grey, restart):
        np.testing.assert_array_equal(decoded(original), decoded(clean(original).content))


@pytest.mark.parametrize("suffix", [".bmp", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_bmp_and_tiff_become_png(suffix, channels):
    original = encoded(suffix, PIXELS if channels == 3 else PIXELS[..., 0]) + SECRET
    result = clean(original)
    assert result.suffix == ".png"
    assert SECRET not in result.content
    np.testing.assert_array_equal(decoded(original), decoded(result.content), strict=True)


@pytest.mark.parametrize(("dtype", "suffix"), [(np.uint16, ".png"), (np.float32, ".tiff")])
def test_deep_tiff_keeps_its_values(dtype, suffix):
    values = (np.arange(24 * 32).reshape(24, 32) * 77.5).astype(dtype)
    result = clean(encoded(".tiff", values))
    assert result.suffix == suffix
    np.testing.assert_array_equal(decoded(result.content), values, strict=True)


def test_several_pages_are_refused():
    pages = cv2.imencodemulti(".tiff", [PIXELS, PIXELS])[1].tobytes()
    with pytest.raises(DecodeError, match="2 pages"):
        clean(pages)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        SECRET,
        jpeg()[: -40 - len(SECRET)],
        jpeg()[:30],
        encoded(".jpg")[:3],
        png()[:200],
        png().replace(b"gAMA", b"gAMB"),
        encoded(".tiff")[:50],
        b"BM" + SECRET,
    ],
)
def test_what_cannot_be_parsed_is_refused_without_quoting_it(content):
    with pytest.raises(DecodeError) as caught:
        clean(content)
    assert NAME not in str(caught.value)


def test_no_chunk_holds_more_than_its_kind_has():
    long = _chunk(b"gAMA", struct.pack(">I", 45455) + SECRET)
    with pytest.raises(DecodeError, match="longer"):
        clean(png()[:33] + long + png()[33:])


GREY = PIXELS[..., 0]
DEEP = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) * 80
ALPHA = np.dstack([PIXELS, np.flipud(GREY)])


def palette() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).quantize(7).save(buffer, "PNG")
    return buffer.getvalue()


def saved(pixels: np.ndarray, mode: str, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, form, **options)
    return buffer.getvalue()


def big_tiff() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "TIFF", big_tiff=True)
    assert buffer.getvalue().startswith(b"II+")
    return buffer.getvalue()


IDS = [
    *("png", "png 16 bits", "png with alpha", "png with palette"),
    *("jpeg", "jpeg progressive", "jpeg cmyk"),
    *("tiff", "tiff 16 bits", "tiff with alpha", "tiff turned", "tiff cmyk", "big tiff"),
    *("bmp", "bmp with alpha"),
]


@pytest.mark.parametrize(
    ("content", "bits", "compression"),
    [
        (encoded(".png", GREY), 8, "png"),
        (encoded(".png", DEEP), 16, "png"),
        (encoded(".png", ALPHA), 8, "png"),
        (palette(), 8, "png"),
        (encoded(".jpg"), 8, "jpeg"),
        (cv2.imencode(".jpg", PIXELS, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(), 8, "jpeg"),
        (saved(ALPHA, "CMYK", "JPEG"), 8, "jpeg"),
        (encoded(".tiff", GREY), 8, "tiff"),
        (encoded(".tiff", DEEP), 16, "tiff"),
        (encoded(".tiff", ALPHA), 8, "tiff"),
        (saved(PIXELS, "RGB", "TIFF", tiffinfo={0x0112: 6}), 8, "tiff"),
        (saved(ALPHA, "CMYK", "TIFF"), 8, "tiff"),
        (big_tiff(), 8, "tiff"),
        (encoded(".bmp", GREY), 8, "bmp"),
        (encoded(".bmp", ALPHA), 8, "bmp"),
    ],
    ids=IDS,
)
def test_what_is_trained_on_is_what_would_be_served(content, bits, compression):
    """The pixels decoded from the clean file are those decoded from the original."""
    result = clean(content)
    np.testing.assert_array_equal(decode(result.content), decode(content), strict=True)
    assert result.attributes == {"bits": bits, "compression": compression}


def test_jpeg_of_12_bits_says_so():
    values = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)
    deep = imagecodecs.jpeg8_encode(values, bitspersample=12)
    assert clean(deep).attributes["bits"] == 12
