"""De-identification of DICOM pixel data: frames keep the picture and nothing else."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)
from worlds.deidentification import (
    NAME,
    PIXELS,
    PSEUDONYMS,
    SECRET,
    clean,
    dicom,
    encoded,
    jpeg,
    read,
)

from tasks.common.errors import DecodeError
from tasks.imaging import burned_in_text
from tasks.imaging import dicom as decoder
from tasks.imaging.deidentification import deidentify
from tasks.imaging.jpeg_segments import spelled


def test_compressed_frames_keep_their_bytes():
    frames = [encoded(".jpg", PIXELS[:8, :8, 0]) for _ in range(3)]
    original = dicom(
        JPEGBaseline8Bit,
        PixelData=encapsulate(frames),
        NumberOfFrames=3,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
    )
    result = clean(original)
    assert result.frames == 3
    assert read(result.content).PixelData == read(original).PixelData


def jpeg_dicom(frames: list[bytes], **elements: object) -> bytes:
    rows, columns = PIXELS.shape[:2]
    elements = {"PixelData": encapsulate(frames), "NumberOfFrames": len(frames)} | elements
    return dicom(
        JPEGBaseline8Bit,
        **{"Rows": rows, "Columns": columns, "SamplesPerPixel": 3, "PlanarConfiguration": 0},
        **{"PhotometricInterpretation": "YBR_FULL_422"},
        **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7},
        **elements,
    )


@pytest.mark.parametrize("extended", [False, True])
def test_names_in_compressed_frames_go_and_pixels_stay(extended):
    frames = [jpeg(), jpeg()]
    elements: dict[str, object] = {}
    if extended:
        names = ("PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")
        elements = dict(zip(names, encapsulate_extended(frames), strict=True))
    original = jpeg_dicom(frames, **elements)
    content = clean(original).content
    before, after = read(original), read(content)
    assert SECRET in before.PixelData
    assert SECRET not in content
    assert "ExtendedOffsetTable" not in after
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array, strict=True)


@pytest.mark.parametrize("frame", [SECRET * 9, jpeg()[: -40 - len(SECRET)]])
def test_frames_that_are_no_jpeg_are_refused_without_quoting_them(frame):
    with pytest.raises(DecodeError, match="broken") as caught:
        clean(jpeg_dicom([frame]))
    assert NAME not in str(caught.value)


def test_missing_frames_are_refused():
    with pytest.raises(DecodeError, match="frames are missing"):
        clean(jpeg_dicom([jpeg()], NumberOfFrames=2))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_nothing_follows_the_pixels(syntax):
    pixels = np.arange(64, dtype="<u2").tobytes()
    original = dicom(syntax, PixelData=pixels + SECRET)
    result = clean(original)
    assert SECRET in original
    assert SECRET not in result.content
    assert read(result.content).PixelData == pixels


@pytest.mark.parametrize(
    ("elements", "length"),
    [
        ({"Rows": 3, "Columns": 3, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, 10),
        ({"Rows": 3, "Columns": 7, "BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, 4),
        ({"Rows": 2, "NumberOfFrames": 2}, 64),
    ],
)
def test_the_length_of_the_pixels_is_even(elements, length):
    original = dicom(**elements)
    before, after = read(original), read(clean(original).content)
    assert after.PixelData == before.PixelData[:length]
    assert after.pixel_array.size == after.Rows * after.Columns * (after.get("NumberOfFrames") or 1)


def test_pixel_data_cut_off_are_refused():
    with pytest.raises(DecodeError, match="cut off"):
        clean(dicom(PixelData=b"\0" * 126))


def test_pixel_data_do_not_hide_in_sequences():
    lut = Dataset()
    lut.LUTDescriptor, lut.PixelData = [2, 0, 8], SECRET
    lut["LUTDescriptor"].VR, lut["PixelData"].VR = "US", "OB"
    lut.add_new("LUTData", "OW", b"\x01\x02")
    original = dicom(VOILUTSequence=Sequence([lut]))
    assert original.count(SECRET) > dicom().count(SECRET)
    assert SECRET not in clean(original).content


GREY = PIXELS[..., 0]
COMMENT = struct.pack(">HHH", 0xFF64, 4 + len(SECRET), 1) + SECRET


def commented_j2k(codestream: bytes, *, in_tile: bool) -> bytes:
    """A comment after SIZ, or in the first tile-part, whose length then grows."""
    if not in_tile:
        (length,) = struct.unpack_from(">H", codestream, 4)
        return codestream[: 4 + length] + COMMENT + codestream[4 + length :]
    at = codestream.index(b"\xff\x90")
    (size,) = struct.unpack_from(">I", codestream, at + 6)
    grown = struct.pack(">I", size + len(COMMENT) if size else 0)
    return b"".join(
        (codestream[: at + 6], grown, codestream[at + 10 : at + 12], COMMENT, codestream[at + 12 :])
    )


def jpeg_ls() -> bytes:
    plain = imagecodecs.jpegls_encode(GREY)
    planted = spelled(0xE8, b"SPIFF\0" + SECRET) + spelled(0xFE, SECRET)
    return plain[:2] + planted + plain[2:] + SECRET


def rle() -> bytes:
    """One segment with a name in the header's unused offsets, and one behind the last run."""
    rows = b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in GREY)
    header = struct.pack("<2I", 1, 64) + SECRET.ljust(56, b"\0")
    return header + rows + SECRET


def j2k(**options: Any) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(GREY, reversible=True, **options))


CODED = {
    "j2k": (JPEG2000Lossless, commented_j2k(j2k(codecformat="j2k"), in_tile=False)),
    "j2k-tile": (JPEG2000Lossless, commented_j2k(j2k(codecformat="j2k"), in_tile=True)),
    "j2k-behind": (JPEG2000Lossless, j2k(codecformat="j2k") + SECRET),
    "jp2": (JPEG2000Lossless, j2k(codecformat="jp2") + struct.pack(">I", 20) + b"xml " + SECRET),
    "htj2k": (HTJ2KLossless, commented_j2k(imagecodecs.htj2k_encode(GREY), in_tile=False)),
    "jpeg-ls": (JPEGLSLossless, jpeg_ls()),
    "rle": (RLELossless, rle()),
}


def coded_dicom(syntax: str, *frames: bytes, **elements: object) -> bytes:
    rows, columns = GREY.shape
    return dicom(
        syntax,
        **{"Rows": rows, "Columns": columns, "NumberOfFrames": len(frames)},
        **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7},
        **{"RescaleSlope": "1", "RescaleIntercept": "0", "WindowCenter": 128, "WindowWidth": 256},
        **({"PixelData": encapsulate(list(frames))} | elements),
    )


@pytest.mark.parametrize(("syntax", "frame"), CODED.values(), ids=CODED)
def test_names_in_frames_of_other_codings_go_and_pixels_stay(syntax, frame):
    original = coded_dicom(syntax, frame, frame)
    content = clean(original).content
    assert original.count(SECRET) > coded_dicom(syntax).count(SECRET)
    assert SECRET not in content
    (kept, _) = generate_frames(read(content).PixelData, number_of_frames=2)
    if syntax == JPEGLSLossless:
        np.testing.assert_array_equal(imagecodecs.jpegls_decode(kept), GREY)
    elif syntax != RLELossless:
        np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(kept), GREY)
    for index in (0, 1):
        shown = decoder.decode(content, None, index)
        np.testing.assert_array_equal(shown, decoder.decode(original, None, index), strict=True)


def test_colour_transform_of_jpeg_ls_stays():
    """Decoders turn the colours by it, so it is part of the picture."""
    frame = imagecodecs.jpegls_encode(GREY)
    turned = frame[:2] + spelled(0xE8, b"mrfx\1" + SECRET) + frame[2:]
    content = clean(coded_dicom(JPEGLSLossless, turned)).content
    assert b"\xff\xe8\0\x07mrfx\1" in content
    assert SECRET not in content


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        (JPEG2000Lossless, j2k(codecformat="j2k")[:-40]),
        (JPEG2000Lossless, j2k(codecformat="j2k").replace(b"\xff\x52", b"\xff\x4a")),
        (JPEG2000Lossless, j2k(codecformat="jp2").replace(b"\0\0\0\x11", b"\0\0\0\x12")),
        (JPEG2000Lossless, SECRET * 9),
        (JPEGLSLossless, jpeg_ls()[: -40 - len(SECRET)]),
        (JPEGLSLossless, SECRET * 9),
        (RLELossless, rle()[:300]),
        (RLELossless, SECRET * 9),
        (MPEG2MPML, SECRET * 9),
    ],
)
def test_frames_that_cannot_be_cleaned_are_refused_without_quoting_them(syntax, frame):
    with pytest.raises(DecodeError) as caught:
        clean(coded_dicom(syntax, frame))
    assert NAME not in str(caught.value)


@pytest.mark.parametrize("declared", [True, False])
def test_overlays_in_the_bits_of_pixels_go_where_they_are_declared(declared):
    words = np.arange(64, dtype="<u2") | np.uint16(0x8000)
    file = read(dicom(PixelData=words.tobytes()))
    if declared:
        file.add_new((0x6000, 0x0102), "US", 15)
    buffer = io.BytesIO()
    file.save_as(buffer)
    kept = np.frombuffer(read(clean(buffer.getvalue()).content).PixelData, "<u2")
    assert kept.tolist() == list(range(64)) if declared else words.tolist()


@pytest.mark.parametrize("modality", ["CT", "US"])  # searched for text, which looks at all frames
@pytest.mark.parametrize("policy", ["keep", "detect"])
@pytest.mark.parametrize("damaged", range(4))
def test_each_frame_must_be_decoded(monkeypatch, modality, policy, damaged):
    monkeypatch.setattr(burned_in_text, "has_text", lambda _: False)
    frames = [imagecodecs.jpegls_encode(GREY)] * 4
    frames[damaged] = frames[damaged][:-9] + b"\0\xff\xd9"
    assert deidentify(coded_dicom(JPEGLSLossless, *[jpeg_ls()] * 4, Modality=modality), PSEUDONYMS)
    with pytest.raises(DecodeError, match="broken"):
        deidentify(coded_dicom(JPEGLSLossless, *frames, Modality=modality), PSEUDONYMS, policy)


def test_frame_of_jpeg_loses_what_its_picture_does_not_need():
    plain = encoded(".jpg", GREY)
    hidden = plain[:2] + spelled(0xDB, b"\3" + (SECRET * 6)[:64]) + plain[2:-2] + SECRET
    content = clean(coded_dicom(JPEGBaseline8Bit, hidden + plain[-2:])).content
    assert SECRET[:4] not in content
    (kept,) = generate_frames(read(content).PixelData, number_of_frames=1)
    assert kept.rstrip(b"\0").replace(SECRET[:1] + plain[-2:], plain[-2:]) == plain
