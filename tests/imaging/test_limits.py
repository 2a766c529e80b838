"""Small files that claim large pictures are refused before anything is decoded."""

from __future__ import annotations

import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGExtended12Bit
from worlds.dicom_files import make_dicom

from tasks.common.errors import DecodeError
from tasks.imaging import dicom, limits
from tasks.imaging.decoding import decode
from tasks.imaging.deidentification import deidentify
from tasks.privacy.pseudonyms import Pseudonyms

SIDE = 30_000
GREY = np.arange(24 * 24, dtype=np.uint8).reshape(24, 24)
TOO_LARGE = "900,000,000 pixels; required: at most 100,000,000"


def tiff(order: str, width: int, height: int, *, big: bool, pages: int = 1) -> bytes:
    """Directories with a size and nothing else; the last one leads back to the first."""
    word, count, head = ("Q", "Q", 16) if big else ("I", "H", 8)
    magic = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    content = magic + (struct.pack(f"{order}HH", 8, 0) if big else b"")
    content += struct.pack(order + word, head)
    for page in range(pages):
        content += struct.pack(order + count, 2)
        for tag, value in ((256, width), (257, height)):
            form, kind = ("QQ", 16) if big else ("II", 4)
            content += struct.pack(f"{order}HH{form}", tag, kind, 1, value)
        after = len(content) + struct.calcsize(order + word)
        content += struct.pack(order + word, after if page < pages - 1 else head)
    return content


def png(width: int, height: int) -> bytes:
    content = bytearray(cv2.imencode(".png", GREY)[1].tobytes())
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


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_pages_of_a_tiff_count_together(order, big):
    for content in (
        tiff(order, SIDE, SIDE, big=big),
        tiff(order, SIDE // 10, SIDE // 10, big=big, pages=100),
    ):
        with pytest.raises(DecodeError, match=TOO_LARGE):
            decode(content)
        with pytest.raises(DecodeError, match=TOO_LARGE):
            deidentify(content, Pseudonyms(b"a key"))
    limits.require_picture(tiff(order, 1000, 1000, big=big, pages=100))


def test_sizes_that_tiff_writers_write_are_seen(monkeypatch):
    monkeypatch.setattr(limits, "MOST_PIXELS", GREY.size - 1)
    with pytest.raises(DecodeError, match="576 pixels"):
        decode(cv2.imencode(".tiff", GREY)[1].tobytes())


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
