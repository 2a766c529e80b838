"""Every transfer syntax gives back the stored values, not only no exception.

There is no encoder here for 12-bit progressive JPEG (.53 and .55): their 8-bit forms stand in, and
`benchmarks/syntaxes.py` reads real files of them.
"""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from worlds.dicom_files import make_dicom

from tasks.common.errors import DecodeError
from tasks.imaging.dicom import decode, stored_frame

SPECTRAL_SELECTION, FULL_PROGRESSION = UID(f"{JPEGLossless[:-2]}53"), UID(f"{JPEGLossless[:-2]}55")


def stored(content: bytes, frame: int = 0) -> np.ndarray:
    dataset = dcmread(io.BytesIO(content))
    return stored_frame(dataset, frame, int(dataset.get("NumberOfFrames") or 1))


def values_of(dtype: str, bits: int) -> np.ndarray:
    """A smooth picture that uses the whole range, `(64, 64)`."""
    rows, columns = np.mgrid[-1:1:64j, -1:1:64j]
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype[0] == "i" else (0, 2**bits - 1)
    return np.rint(low + (high - low) * (1 - (rows**2 + columns**2) / 2)).astype(dtype)


def with_two_complement(values: np.ndarray, bits: int) -> np.ndarray:
    return values.view(f"u{values.itemsize}") & (2**bits - 1)


def lossless_jpeg(values: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(with_two_complement(values, bits), lossless=True)


def jpeg_ls(values: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpegls_encode(with_two_complement(values, bits))


def jpeg_2000(values: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(values, codecformat="J2K", reversible=True, level=0)


def progressive(values: np.ndarray, bits: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG", quality=100, progressive=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("dtype", "bits"), [("u1", 8), ("i1", 8), ("u2", 12), ("i2", 12), ("u2", 16), ("i2", 16)]
)
@pytest.mark.parametrize(
    ("syntax", "encoder"),
    [
        (JPEGLosslessSV1, lossless_jpeg),
        (JPEGLossless, lossless_jpeg),
        (JPEGLSLossless, jpeg_ls),
        (JPEG2000Lossless, jpeg_2000),
    ],
)
def test_lossless_codings(syntax, encoder, dtype, bits):
    values = values_of(dtype, bits)
    content = make_dicom(values, syntax, [encoder(values, bits)], BitsStored=bits)
    assert np.array_equal(stored(content), values)
    assert stored(content).dtype.kind == dtype[0]


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
def test_rle_and_deflate(dtype):
    values = values_of(dtype, 8 * int(dtype[1]))
    dataset = dcmread(io.BytesIO(make_dicom(values)))
    dataset.compress(RLELossless)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    for content in (buffer.getvalue(), make_dicom(values, DeflatedExplicitVRLittleEndian)):
        assert np.array_equal(stored(content), values)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
def test_plain_codings(syntax, dtype):
    values = values_of(dtype, 8 * int(dtype[1]))
    as_written = values.byteswap() if syntax == ExplicitVRBigEndian else values
    assert np.array_equal(stored(make_dicom(as_written, syntax)), values)


def lossy_jpeg(values: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(values, level=98, bitspersample=bits)


def near_lossless(values: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpegls_encode(values, level=1)


def lossy_jpeg_2000(values: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(values, codecformat="J2K", level=55)


@pytest.mark.parametrize(
    ("syntax", "bits", "encoder"),
    [
        (JPEGBaseline8Bit, 8, lossy_jpeg),
        (JPEGExtended12Bit, 8, lossy_jpeg),
        (JPEGExtended12Bit, 12, lossy_jpeg),
        (SPECTRAL_SELECTION, 8, progressive),
        (FULL_PROGRESSION, 8, progressive),
        (JPEGLSNearLossless, 8, near_lossless),
        (JPEGLSNearLossless, 16, near_lossless),
        (JPEG2000, 8, lossy_jpeg_2000),
        (JPEG2000, 16, lossy_jpeg_2000),
    ],
)
def test_lossy_codings_come_within_45_db(syntax, bits, encoder):
    values = values_of("u1" if bits == 8 else "u2", bits)
    content = make_dicom(values, syntax, [encoder(values, bits)], BitsStored=bits)
    error = np.mean((stored(content).astype(float) - values) ** 2)
    assert 10 * np.log10((2**bits - 1) ** 2 / error) > 45


def test_8_bit_jpeg_in_a_header_of_16():
    values = values_of("u1", 8)
    frame = imagecodecs.jpeg8_encode(values, level=100)
    content = make_dicom(values.astype(np.uint16), JPEGBaseline8Bit, [frame], BitsStored=8)
    assert np.abs(stored(content).astype(int) - values).max() <= 2


@pytest.mark.parametrize("dtype", ["u2", "i2"])
def test_what_is_not_pixel_in_the_high_bits_is_masked(dtype):
    values = values_of(dtype, 12)
    dirty = (with_two_complement(values, 12) | 0x5000).view(dtype)  # bits of an overlay, or garbage
    assert np.array_equal(stored(make_dicom(dirty, BitsStored=12)), values)


@pytest.mark.parametrize(
    ("syntax", "encoder"),
    [(JPEGLosslessSV1, lossless_jpeg), (JPEGLSLossless, jpeg_ls), (JPEG2000Lossless, jpeg_2000)],
)
def test_frames_in_fragments_without_offset_table(syntax, encoder):
    frames = np.stack([values_of("u2", 12), values_of("u2", 12)[::-1] // 2])
    coded = [encoder(np.ascontiguousarray(frame), 12) for frame in frames]
    coded = [frame + b"\0" * (len(frame) % 2) for frame in coded]
    dataset = dcmread(io.BytesIO(make_dicom(frames, syntax, coded, BitsStored=12)))
    dataset.PixelData = encapsulate(coded, fragments_per_frame=3, has_bot=False)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    for index in (0, 1):
        assert np.array_equal(stored(buffer.getvalue(), index), frames[index])


def test_frames_of_odd_length():
    frames = np.stack([np.full((5, 5), value, np.uint8) for value in (3, 100, 250)])
    assert [int(stored(make_dicom(frames), index)[2, 2]) for index in range(3)] == [3, 100, 250]
    coded = [imagecodecs.jpegls_encode(frame) for frame in frames]
    assert any(len(frame) % 2 for frame in coded)
    content = make_dicom(frames, JPEGLSLossless, coded)
    assert [int(stored(content, index)[2, 2]) for index in range(3)] == [3, 100, 250]


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLSLossless, JPEG2000, RLELossless])
def test_garbage_in_the_frame_is_refused(ramp, syntax):
    with pytest.raises(DecodeError):
        decode(make_dicom(ramp, syntax, [b"no picture at all, "]), None)


def test_size_that_the_header_does_not_say(ramp):
    coded = [imagecodecs.jpegls_encode(ramp[:32].view(np.uint16))]
    with pytest.raises(DecodeError, match="not of the size"):
        decode(make_dicom(ramp, JPEGLSLossless, coded), None)
