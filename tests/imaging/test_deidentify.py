"""De-identification: the pixels stay, the names go."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from tasks.errors import DecodeError
from tasks.imaging.deidentify import Clean, deidentify
from tasks.imaging.deidentify_raster import _chunk, _segment
from tasks.pseudonyms import Pseudonyms

NAME = "Quillfeather"
SECRET = NAME.encode()
PSEUDONYMS = Pseudonyms(b"a key of the tests")
PIXELS: NDArray[np.uint8] = np.random.default_rng(3).integers(0, 255, (24, 32, 3), np.uint8)


def clean(content: bytes) -> Clean:
    return deidentify(content, PSEUDONYMS)


def encoded(suffix: str, pixels: NDArray[np.generic] = PIXELS) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


def decoded(content: bytes, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[np.generic]:
    image: NDArray[np.generic] = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    return image


def exif(orientation: int) -> bytes:
    """Big-endian EXIF with an artist's name before the orientation's directory."""
    entries = struct.pack(">HHII", 0x010E, 2, len(SECRET), 38)
    entries += struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 2) + entries + struct.pack(">I", 0) + SECRET


def jpeg(orientation: int = 1) -> bytes:
    """A JPEG with names in EXIF, XMP, IPTC, a comment, a JFXX thumbnail, and after its end."""
    plain = encoded(".jpg")
    planted = _segment(0xE1, b"Exif\0\0" + exif(orientation))
    planted += _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + SECRET)
    planted += _segment(0xED, b"Photoshop 3.0\0" + SECRET) + _segment(0xFE, SECRET)
    planted += _segment(0xE0, b"JFXX\0" + SECRET)
    return plain[:2] + planted + plain[2:] + SECRET


def png(orientation: int = 1) -> bytes:
    plain = encoded(".png")
    planted = _chunk(b"tEXt", b"Author\0" + SECRET) + _chunk(b"eXIf", exif(orientation))
    planted += _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(SECRET)) + _chunk(b"prVt", SECRET)
    planted += _chunk(b"gAMA", struct.pack(">I", 45455))
    return plain[:33] + planted + plain[33:] + SECRET


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


def dicom(syntax: str = ExplicitVRLittleEndian, **elements: object) -> bytes:
    file = Dataset()
    file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    file.StudyInstanceUID, file.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    file.PatientName, file.PatientID = f"{NAME}^Anselmina", f"MRN-{NAME}"
    file.PatientAge, file.PatientSex, file.PatientBirthDate = "061Y", "F", "19630412"
    file.StudyDate, file.StudyDescription = "20240412", f"for {NAME}"
    file.Manufacturer, file.ManufacturerModelName = "Maker", "Model 1"
    file.Modality, file.BodyPartExamined = "CT", "CHEST"
    file.Rows, file.Columns, file.SamplesPerPixel = 8, 8, 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.RescaleSlope, file.RescaleIntercept = "2.50", "-1024"
    file.WindowCenter, file.WindowWidth = [40, -400], [400, 1500]
    file.PixelData = np.arange(64, dtype="<u2").tobytes()
    block = file.private_block(0x0011, "MEDLOOP TEST", create=True)
    block.add_new(0x01, "LO", NAME)
    for keyword, value in elements.items():
        setattr(file, keyword, value)
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = syntax
    file.file_meta.SourceApplicationEntityTitle = NAME
    file.preamble = SECRET.ljust(128, b" ")
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def read(content: bytes) -> Dataset:
    return dcmread(io.BytesIO(content))


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_dicom_keeps_pixels_and_what_they_mean(syntax):
    original = dicom(syntax)
    before, after = read(original), read(clean(original).content)
    assert after.PixelData == before.PixelData
    assert after.file_meta.TransferSyntaxUID == syntax
    for keyword in ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "Modality"):
        assert after[keyword].value == before[keyword].value
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array)


def test_dicom_loses_identity():
    original = dicom()
    result = clean(original)
    after = read(result.content)
    assert original.count(SECRET) >= 5
    assert SECRET not in result.content
    for value in (b"20240412", b"19630412", b"1.2.3.4", b"061Y"):
        assert value not in result.content
    assert after.preamble == b"\0" * 128
    assert after.PatientIdentityRemoved == "YES"
    assert not [element for element in after if element.tag.is_private]
    assert after.PatientAge == "060Y"


def test_dicom_identifiers_are_keyed_and_stable():
    result, again = clean(dicom()), clean(dicom(InstanceNumber=2))
    other = deidentify(dicom(), Pseudonyms(b"another key"))
    after = read(result.content)
    assert result.attributes["patient_id"] == again.attributes["patient_id"] == after.PatientID
    assert result.attributes["patient_id"] != other.attributes["patient_id"]
    assert result.attributes["study_id"] == PSEUDONYMS.uid("1.2.3") == after.StudyInstanceUID
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID
    assert after.SOPClassUID == CTImageStorage


def test_dicom_tells_the_cohort_age_band_sex_and_device():
    attributes = clean(dicom()).attributes
    assert {k: attributes[k] for k in ("age_band", "sex", "device")} == {
        "age_band": "60-69",
        "sex": "F",
        "device": "Maker Model 1",
    }
    bare = clean(dicom(PatientID="", PatientAge="", PatientSex="", Manufacturer="")).attributes
    assert bare.keys().isdisjoint({"patient_id", "age_band", "sex"})


def test_allow_list_holds_inside_sequences():
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTExplanation = [2, 0, 8], NAME
    lut["LUTDescriptor"].VR = "US"
    lut.add_new("LUTData", "OW", b"\x01\x02")
    other = Dataset()
    other.PatientName = NAME
    original = dicom(VOILUTSequence=Sequence([lut]), ReferencedPatientSequence=Sequence([other]))
    after = read(clean(original).content)
    assert SECRET not in clean(original).content
    assert after.VOILUTSequence[0].LUTData == b"\x01\x02"
    assert "ReferencedPatientSequence" not in after


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


def test_code_strings_carry_no_names():
    original = dicom(BodyPartExamined="CHEST").replace(b"CHEST ", b"Smithy")
    assert b"Smithy" in original
    assert b"Smithy" not in clean(original).content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (dicom(BurnedInAnnotation="YES"), "BurnedInAnnotation"),
        (dicom(PixelData=b""), "without pixel data"),
        (dicom()[:140], "DICOM"),
        (b"\0" * 128 + b"DICM" + SECRET * 9, "DICOM"),
    ],
)
def test_unusable_dicom_is_refused_without_quoting_it(content, reason):
    with pytest.raises(DecodeError, match=reason) as caught:
        clean(content)
    assert NAME not in str(caught.value)
