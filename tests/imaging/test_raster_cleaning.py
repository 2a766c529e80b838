"""De-identification of PNG, JPEG, TIFF and BMP: the pixels stay, the names go."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, JPEGLSLossless
from worlds.deidentification import NAME, PIXELS, SECRET, clean, decoded, dicom, encoded, jpeg, png

from tasks.common.errors import DecodeError
from tasks.imaging.decoding import decode
from tasks.imaging.jpeg_segments import joined, split
from tasks.imaging.png_cleaning import HEADER, PNG, _chunk


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
    assert kinds == {b"IHDR", b"IDAT", b"IEND"}


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


DICOM_CODED = {"Rows": 24, "Columns": 32, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}


def coded(frame: bytes, syntax: str, **elements: object) -> bytes:
    return dicom(syntax, **(DICOM_CODED | {"PixelData": encapsulate([frame])} | elements))


def without(marker: int, content: bytes = encoded(".jpg")) -> bytes:
    return joined([segment for segment in split(content) if segment.marker != marker])


def png_of(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return PNG + b"".join(_chunk(*chunk) for chunk in parts)


def header(*values: int) -> bytes:
    return HEADER.pack(*(values + (32, 24, 8, 0, 0, 0, 0)[len(values) :]))


ROWS = b"".join(b"\0" + row.tobytes() for row in GREY)
IDAT = (b"IDAT", zlib.compress(ROWS))
FRAME = encoded(".jpg").index(b"\xff\xc0") + 5  # where its height stands
UNREADABLE = {
    "jpeg of 12 bits": imagecodecs.jpeg8_encode(DEEP // 80, bitspersample=12),
    "jpeg, hierarchical": encoded(".jpg").replace(b"\xff\xc0", b"\xff\xc5"),
    "jpeg without tables": without(0xDB),
    "jpeg without a scan": without(0xDA),
    "jpeg without a height": encoded(".jpg")[:FRAME] + b"\0\0" + encoded(".jpg")[FRAME + 2 :],
    "jpeg that is huge": encoded(".jpg")[:FRAME] + b"\xff" * 4 + encoded(".jpg")[FRAME + 4 :],
    "png without pixels": png_of(header()),
    "png of something else": png_of(header(), (b"IDAT", SECRET)),
    "png of less": png_of(header(), (b"IDAT", zlib.compress(ROWS[:-1]))),
    "png, cut and closed": png_of(header(), (b"IDAT", IDAT[1][:-60])),
    "png, other check": png_of(header(), (b"IDAT", IDAT[1][:-4] + b"1234")),
    "png of no filter": png_of(header(), (b"IDAT", zlib.compress(b"\5" + ROWS[1:]))),
    "png of no size": png_of(header(0), IDAT),
    "png of no depth": png_of(header(32, 24, 7), IDAT),
    "png of no kind": png_of(header(32, 24, 8, 5), IDAT),
    "png without a palette": png_of(header(32, 24, 8, 3), IDAT),
    "png of another coding": png_of(header(32, 24, 8, 0, 1), IDAT),
    "png without a header": png_of(b"abc", IDAT),
    "png that is huge": png_of(header(60_000, 60_000), IDAT),
    "png that is too wide": png_of(header(2**21, 1), (b"IDAT", zlib.compress(bytes(2**21 + 1)))),
    "dicom, frame of another size": coded(encoded(".jpg", GREY[:16]), JPEGBaseline8Bit),
    "dicom, damaged frame": coded(
        imagecodecs.jpegls_encode(GREY)[:-9] + b"\0\xff\xd9", JPEGLSLossless
    ),
    "dicom of 12 bits allocated": dicom(BitsAllocated=12),
    "dicom of two samples": dicom(SamplesPerPixel=2, PixelData=bytes(256)),
    "dicom of other colours": dicom(
        **{"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "HSV"},
        **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": bytes(192)},
    ),
    "dicom without a palette": dicom(PhotometricInterpretation="PALETTE COLOR"),
    "dicom, rescaled by nothing": dicom(RescaleSlope="0"),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_decoded_is_refused(content):
    """Whatever its structure says: nobody can see what is in it."""
    with pytest.raises(DecodeError) as caught:
        clean(content)
    assert NAME not in str(caught.value)
