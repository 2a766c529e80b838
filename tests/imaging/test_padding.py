"""Padding does not count where a picture is spread, however it is written or blurred."""

from __future__ import annotations

import cv2
import imagecodecs
import numpy as np
import pytest
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)
from worlds.dicom_files import make_dicom

from tasks.imaging.dicom import decode

ROWS, COLUMNS = np.mgrid[0:128, 0:128]
DISC = (ROWS - 64) ** 2 + (COLUMNS - 64) ** 2 < 55**2
BODY = (1000 + 8 * COLUMNS + ROWS % 16 * 3).astype(np.int16)  # 1000 to 2061


def padded(value: int) -> np.ndarray:
    return np.where(DISC, BODY, value).astype(np.int16)


def expected(stored: np.ndarray = BODY) -> np.ndarray:
    """The disc between the percentiles of the disc."""
    low, high = np.percentile(stored[DISC], (0.5, 99.5))
    return np.rint(np.clip((stored - low) / (high - low), 0, 1) * 255)[DISC]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("written", [-2000, 63536])
def test_padding_of_either_sign(syntax, written):
    content = make_dicom(padded(-2000), syntax, PixelPaddingValue=-2000)
    number = np.array(-2000, "<i2").tobytes()
    tag = b"\x28\0\x20\x01" + (b"SS\2\0" if syntax == ExplicitVRLittleEndian else b"\2\0\0\0")
    other = tag.replace(b"SS", b"US" if written > 0 else b"SS") + number
    assert content.count(tag + number) == 1
    decoded = decode(content.replace(tag + number, other), None)
    assert np.array_equal(decoded[DISC], expected())
    without = decode(make_dicom(padded(-2000)), None)[DISC]
    assert np.abs(without - expected()).max() > 100


def test_padding_of_the_other_sign_in_unsigned_and_narrow_pixels():
    high = (padded(0).astype(int) + 30000).astype(np.uint16)
    high[~DISC] = 65535
    content = make_dicom(high, PixelPaddingValue=65535)
    content = content.replace(b"\x28\0\x20\x01US", b"\x28\0\x20\x01SS")
    assert np.array_equal(decode(content, None)[DISC], expected())
    words = np.where(DISC, BODY, -32768).astype(np.int16)  # of which 12 bits are left
    content = make_dicom(words, BitsStored=12, PixelPaddingValue=-32768)
    assert np.array_equal(decode(content, None)[DISC], expected())


def test_a_range_of_the_other_sign():
    stored = padded(-2000)
    stored[:30][~DISC[:30]] = -1900
    content = make_dicom(stored, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1900)
    for tag in (b"\x28\0\x20\x01SS", b"\x28\0\x21\x01SS"):
        assert tag in content
        content = content.replace(tag, tag[:4] + b"US")
    assert np.array_equal(decode(content, None)[DISC], expected())


def near_lossless(stored: np.ndarray) -> bytes:
    return imagecodecs.jpegls_encode(stored.view(np.uint16), level=20)


def wavelets(stored: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(stored, codecformat="J2K", level=65)


def cosines(stored: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(stored.astype(np.uint16), level=60, bitspersample=12)


@pytest.mark.parametrize(
    ("syntax", "encode", "value", "bits"),
    [
        (JPEGLSNearLossless, near_lossless, -2000, 16),
        (JPEG2000, wavelets, -2000, 16),
        (JPEG2000, wavelets, 0, 16),
        (JPEGExtended12Bit, cosines, 0, 12),
    ],
)
def test_padding_that_lossy_coding_blurs(syntax, encode, value, bits):
    stored = padded(value) if bits == 16 else padded(value).astype(np.uint16)
    frame = encode(stored)
    header = {"BitsStored": bits, "PixelPaddingValue": value}
    decoded = decode(make_dicom(stored, UID(syntax), [frame], **header), None)
    inner = cv2.erode(DISC.astype(np.uint8), np.ones((19, 19), np.uint8)).astype(bool)
    right = np.zeros(DISC.shape)
    right[DISC] = expected()
    apart = np.abs(decoded - right)[inner]
    assert np.median(apart) <= 10
    exact = {"BitsStored": bits, "LossyImageCompression": "00"} | header
    untold = np.abs(decode(make_dicom(stored, UID(syntax), [frame], **exact), None) - right)
    assert np.median(untold[inner]) > 30


def test_an_earlier_lossy_coding_is_told_by_the_header():
    stored = padded(-2000)
    blurred = imagecodecs.jpeg2k_decode(wavelets(stored))
    header = {"PixelPaddingValue": -2000, "LossyImageCompression": "01"}
    as_coded = make_dicom(stored, JPEG2000, [wavelets(stored)], PixelPaddingValue=-2000)
    assert np.array_equal(decode(make_dicom(blurred, **header), None), decode(as_coded, None))
