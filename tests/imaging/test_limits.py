"""Small files that claim large pictures are refused before anything is decoded."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGExtended12Bit
from worlds.dicom_files import make_dicom
from worlds.tiffs import build

from tasks.common.errors import DecodeError
from tasks.imaging import dicom, limits
from tasks.imaging.decoding import decode
from tasks.imaging.deidentification import deidentify
from tasks.imaging.jpeg import decode_reduced, read_header
from tasks.imaging.tiff_pages import pages_of
from tasks.privacy.pseudonyms import Pseudonyms

SIDE = 30_000
GREY = np.arange(24 * 24, dtype=np.uint8).reshape(24, 24)
TOO_LARGE = "900,000,000 pixels; required: at most 100,000,000"


def tiff(order: str, width: int, height: int, *, big: bool, pages: int = 1) -> bytes:
    """Directories without pixels; the last one leads back to the first."""
    word, count, head = ("Q", "Q", 16) if big else ("I", "H", 8)
    magic = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    content = magic + (struct.pack(f"{order}HH", 8, 0) if big else b"")
    content += struct.pack(order + word, head)
    for page in range(pages):
        content += struct.pack(order + count, 4)
        for tag, value in ((256, width), (257, height), (258, 8), (262, 1)):
            form, kind = ("QQ", 16) if big else ("II", 4)
            content += struct.pack(f"{order}HH{form}", tag, kind, 1, value)
        after = len(content) + struct.calcsize(order + word)
        content += struct.pack(order + word, after if page < pages - 1 else head)
    return content


def png(width: int, height: int, picture: np.ndarray = GREY) -> bytes:
    content = bytearray(cv2.imencode(".png", picture)[1].tobytes())
    struct.pack_into(">II", content, 16, width, height)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    return bytes(content)


def jpeg(width: int, height: int) -> bytes:
    return claiming(cv2.imencode(".jpg", GREY)[1].tobytes(), 0xC0, width, height)


def claiming(frame: bytes, marker: int, width: int, height: int) -> bytes:
    content = bytearray(frame)
    struct.pack_into(">HH", content, content.index(bytes([0xFF, marker])) + 5, height, width)
    return bytes(content)


def bmp(width: int, height: int) -> bytes:
    content = bytearray(cv2.imencode(".bmp", GREY)[1].tobytes())
    struct.pack_into("<ii", content, 18, width, -height)
    return bytes(content)


@pytest.mark.parametrize("make", [png, jpeg, bmp])
def test_picture_that_claims_too_much(make):
    with pytest.raises(DecodeError, match=TOO_LARGE):
        decode(make(SIDE, SIDE))
    limits.require_picture(make(10_000, 10_000))


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        (np.dstack([GREY] * 4).astype(np.uint16), "648,000,000"),
        (np.dstack([GREY] * 3).astype(np.uint16), "486,000,000"),
        (GREY.astype(np.uint16), None),
        (np.dstack([GREY] * 4), None),
    ],
    ids=["16-bit RGBA", "16-bit RGB", "16-bit grey", "RGBA"],
)
def test_bytes_are_limited_and_not_pixels_alone(picture, size):
    """Of the first, 630 kB of file once took 6.6 GB."""
    content = png(9000, 9000, picture)
    if size is None:
        limits.require_picture(content)
        return
    for read in (limits.require_picture, decode):
        with pytest.raises(DecodeError, match=f"{size} bytes; required: at most 400,000,000"):
            read(content)


@pytest.mark.parametrize("before", [b"\0", b"\xff\x01", b"\xff\xd0", b"ab\xff\0\xff\xff"])
def test_size_of_a_jpeg_does_not_hide_behind_what_libjpeg_passes_over(before):
    content = jpeg(SIDE, SIDE)
    frame = content.index(b"\xff\xc0")
    with pytest.raises(DecodeError, match=TOO_LARGE):
        decode(content[:frame] + before + content[frame:])


def test_jpeg_of_several_scans_is_held_to_the_limit_at_any_scale():
    """libjpeg holds all of it at two bytes per sample, whatever scale is asked for."""
    whole = io.BytesIO()
    Image.fromarray(GREY.repeat(8, 0)).save(whole, "JPEG", progressive=True)
    for content, marker in ((jpeg(24, 24), 0xC0), (whole.getvalue(), 0xC2)):
        assert read_header(content).buffered == (marker == 0xC2)
        large = claiming(content, marker, 12_000, 12_000)
        assert (decode_reduced(large, [224, 224]) is None) == (marker == 0xC2)
    apart = bytearray(cv2.imencode(".jpg", np.dstack([GREY] * 3))[1].tobytes())
    apart[apart.index(b"\xff\xda") + 4] = 1  # components in the first scan
    assert read_header(bytes(apart)).buffered


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_page_of_a_tiff_that_claims_too_much(order, big):
    content = tiff(order, SIDE, SIDE, big=big)
    for read in (decode, lambda content: deidentify(content, Pseudonyms(b"a key"))):
        with pytest.raises(DecodeError, match=TOO_LARGE):
            read(content)
    many = tiff(order, 10_000, 10_000, big=big, pages=100)
    assert len(pages_of(many)) == 100  # and the last leads back to the first
    with pytest.raises(DecodeError, match="broken picture"):  # no strips, but not too large
        decode(many)


TILED = {256: 24, 257: 24, 259: 1, 277: 1}


@pytest.mark.parametrize(
    ("tags", "size"),
    [
        ({258: 64, 262: 1, 256: 8000, 257: 8000}, "512,000,000 bytes"),
        ({258: [16] * 5, 262: 2, 277: 5, 256: 7000, 257: 7000}, "490,000,000 bytes"),
        ({258: [8] * 4, 262: 5, 277: 4, 256: 10_001, 257: 10_000}, "100,010,000 pixels"),
        ({258: 8, 262: 1, 322: 2**31 - 16, 323: 16}, "34,359,738,112 pixels"),
        ({258: [8] * 3, 262: 6, 277: 3, 322: 16, 323: 2**30}, "17,179,869,184 pixels"),
    ],
    ids=["64 bits", "samples", "CMYK", "a tile", "a tile of YCbCr"],
)
def test_bytes_and_tiles_of_a_tiff_are_limited(tags, size):
    with pytest.raises(DecodeError, match=size):
        decode(build((TILED | tags, [b""])))


def test_sizes_that_tiff_writers_write_are_seen(monkeypatch):
    monkeypatch.setattr(limits, "MOST_PIXELS", GREY.size - 1)
    with pytest.raises(DecodeError, match="576 pixels"):
        decode(cv2.imencode(".tiff", GREY)[1].tobytes())


def test_dicom_is_held_to_bytes_too(monkeypatch):
    monkeypatch.setattr(limits, "MOST_BYTES", 4 * GREY.size - 1)
    dicom.decode(make_dicom(np.dstack([GREY] * 3)), None)
    with pytest.raises(DecodeError, match="2,304 bytes"):
        dicom.decode(make_dicom(GREY.astype(np.uint32), BitsStored=32), None)


def test_dicom_that_claims_too_much():
    content = make_dicom(GREY, JPEGBaseline8Bit, [jpeg(SIDE, SIDE)]).replace(
        b"\x28\0\x10\0US\2\0\x18\0\x28\0\x11\0US\2\0\x18\0",
        b"\x28\0\x10\0US\2\0\x30\x75\x28\0\x11\0US\2\0\x30\x75",
    )
    with pytest.raises(DecodeError, match=TOO_LARGE):
        dicom.decode(content, None)


@pytest.mark.parametrize("bits", [8, 12])
def test_dicom_frame_that_claims_more_than_its_header(bits, monkeypatch):
    """libjpeg would fill gigabytes before the sizes could be compared."""
    decoded = []
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", lambda *_, **__: decoded.append(1))
    frame = jpeg(SIDE, SIDE)
    if bits == 12:
        deep = imagecodecs.jpeg8_encode(GREY.astype(np.uint16), bitspersample=12)
        frame = claiming(deep, 0xC1, SIDE, SIDE)
    syntax = JPEGBaseline8Bit if bits == 8 else JPEGExtended12Bit
    stored = GREY.astype(np.uint8 if bits == 8 else np.uint16)
    with pytest.raises(DecodeError, match="not of the size"):
        dicom.decode(make_dicom(stored, syntax, [frame], BitsStored=bits), None)
    assert not decoded


def test_deflated_dicom_is_inflated_up_to_a_limit(monkeypatch):
    content = make_dicom(
        np.arange(10_000, dtype=np.uint16).reshape(100, 100),
        DeflatedExplicitVRLittleEndian,
        StudyInstanceUID="1.2.3",
    )
    assert dicom.decode(content, None).shape == (100, 100)
    monkeypatch.setattr(limits, "MOST_INFLATED", 20_000)
    for read in (lambda: dicom.decode(content, None), lambda: deidentify(content, Pseudonyms(b""))):
        with pytest.raises(DecodeError, match="deflated DICOM of more than 20,000 bytes"):
            read()
