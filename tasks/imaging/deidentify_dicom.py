"""DICOM without any element but those of an allow-list, which holds inside sequences too.

Based on the Basic Application Confidentiality Profile of DICOM PS3.15 Annex E with keyed UIDs and
without dates; free text passes in manufacturer and model only. Pixel data without compression are
cut to the length of the picture, JPEG frames lose their comments and application segments; frames
of other codings pass as they are. What is burned into the picture stays there.
"""

from __future__ import annotations

import io
import re
import warnings
from itertools import islice
from typing import Any

from pydicom import DataElement, Dataset, dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tasks import demographics
from tasks.errors import DecodeError
from tasks.imaging.deidentify_raster import JPEG, clean_jpeg
from tasks.pseudonyms import Pseudonyms

PIXELS = """
    SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns
    BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue
    PixelPaddingRangeLimit PixelAspectRatio SmallestImagePixelValue LargestImagePixelValue
    RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor
    BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
    LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod"""
OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
GREYS = """
    RescaleSlope RescaleIntercept WindowCenter WindowWidth VOILUTFunction PresentationLUTShape
    ModalityLUTSequence VOILUTSequence LUTDescriptor LUTData
    PixelValueTransformationSequence FrameVOILUTSequence PixelIntensityRelationship
    PixelIntensityRelationshipSign"""
GEOMETRY = """
    PixelSpacing ImagerPixelSpacing SliceThickness SpacingBetweenSlices SliceLocation
    ImagePositionPatient ImageOrientationPatient PatientPosition PatientOrientation ViewPosition
    Laterality ImageLaterality InstanceNumber PixelMeasuresSequence PlanePositionSequence
    PlaneOrientationSequence SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence"""
CONTEXT = """
    Modality BodyPartExamined Manufacturer ManufacturerModelName KVP PatientSex SOPClassUID
    SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID"""
ESSENTIAL = {tag_for_keyword(word) for word in (PIXELS + GREYS).split()}
ALLOWED = ESSENTIAL | {tag_for_keyword(word) for word in (GEOMETRY + CONTEXT).split()}
IDENTIFIERS = {
    "study_id": "StudyInstanceUID",
    "series_id": "SeriesInstanceUID",
    "instance_id": "SOPInstanceUID",
}
CODE = re.compile(r"[A-Z0-9_ ]{0,16}")
# Baseline, extended, lossless, and the retired processes: each frame is a JPEG file.
JPEG_SYNTAXES = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 57, 70)}
STANDARD_UIDS = "1.2.840.10008."  # the standard's own: kinds of object, not objects


def is_dicom(content: bytes) -> bool:
    """Whether the bytes begin like DICOM: with a preamble, or at once with group 2 or 8."""
    bare = content[:2] in (b"\x02\0", b"\x08\0") and content[3:4] == b"\0"
    return content[128:132] == b"DICM" or bare


def clean_dicom(content: bytes, pseudonyms: Pseudonyms) -> tuple[bytes, int, dict[str, str]]:
    """The de-identified file, its number of frames, and what its header tells for the cohort.

    Raises:
        DecodeError: it cannot be parsed, has no pixels, or says that its pixels identify.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote values
            return _clean(dcmread(io.BytesIO(content), force=True), pseudonyms)
    except DecodeError:
        raise
    except Exception as error:  # a damaged file fails in any way, and messages quote values
        raise DecodeError(f"broken DICOM ({type(error).__name__})") from None


def _clean(original: Dataset, pseudonyms: Pseudonyms) -> tuple[bytes, int, dict[str, str]]:
    if "PixelData" not in original or not original.PixelData:
        raise DecodeError("DICOM without pixel data")
    if str(original.get("BurnedInAnnotation", "")).strip() == "YES":
        raise DecodeError("BurnedInAnnotation is YES: the pixels themselves may identify")
    clean = _allowed(original, pseudonyms)
    clean.SpecificCharacterSet = "ISO_IR 192"
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "Medloop allow-list, keyed UIDs, no dates"
    attributes = _attributes(original, clean, pseudonyms)
    if "patient_id" in attributes:
        clean.PatientID = attributes["patient_id"]
    if (age := _age(original)) is not None:
        clean.PatientAge = f"{demographics.decade(age):03d}Y"
    clean.file_meta = _file_meta(original, clean)
    _add_pixels(original, clean)
    buffer = io.BytesIO()
    clean.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue(), int(original.get("NumberOfFrames") or 1), attributes


def _allowed(original: Dataset, pseudonyms: Pseudonyms) -> Dataset:
    clean = Dataset()
    for tag in sorted(ALLOWED.intersection(original.keys())):
        element = original[tag]
        value = _value(element, pseudonyms)
        if value is not None:
            undefined = element.is_undefined_length
            clean.add(DataElement(tag, element.VR, value, None, undefined, IGNORE))
        elif tag in ESSENTIAL:
            raise DecodeError(f"broken DICOM: {element.keyword} holds something else")
    return clean


def _add_pixels(original: Dataset, clean: Dataset) -> None:
    """Add the pixel data to `clean`; not by `ALLOWED`, which would take them in a sequence too."""
    element, syntax = original["PixelData"], clean.file_meta.TransferSyntaxUID
    if element.VR not in ("OB", "OW") or element.is_undefined_length != syntax.is_encapsulated:
        raise DecodeError("broken DICOM: the pixel data are not what the transfer syntax says")
    pixels = bytes(element.value)
    if syntax in JPEG_SYNTAXES:
        pixels = encapsulate(_clean_frames(original, pixels))
    elif syntax.is_encapsulated:
        for keyword in OFFSETS:
            if keyword in original:
                setattr(clean, keyword, original[keyword].value)
    else:
        pixels = _cut(pixels, get_expected_length(clean))
    clean.add(DataElement(element.tag, element.VR, pixels, None, syntax.is_encapsulated))


def _cut(pixels: bytes, length: int) -> bytes:
    """What the picture has, and one byte more where it is odd: in swapped words it is a pixel."""
    if len(pixels) < length:
        raise DecodeError("broken DICOM: the pixel data are cut off")
    return pixels[: length + length % 2].ljust(length + length % 2, b"\0")


def _clean_frames(original: Dataset, pixels: bytes) -> list[bytes]:
    frames = int(original.get("NumberOfFrames") or 1)
    offsets = tuple(original[word].value for word in OFFSETS) if OFFSETS[0] in original else None
    coded = generate_frames(pixels, number_of_frames=frames, extended_offsets=offsets)
    cleaned = [_clean_frame(frame) for frame in islice(coded, frames)]
    if len(cleaned) < frames:
        raise DecodeError("broken DICOM: frames are missing")
    return cleaned


def _clean_frame(frame: bytes) -> bytes:
    if not frame.startswith(JPEG):
        raise DecodeError("broken DICOM: a frame is no JPEG")
    return clean_jpeg(frame)


def _value(element: DataElement, pseudonyms: Pseudonyms) -> Any:
    """The value as it may be kept; None where its type or content is not what its tag says."""
    if element.VR not in dictionary_VR(element.tag).split(" or "):
        return None
    values = [element.value] if element.VM < 2 else list(element.value)
    if element.VR == "SQ":
        return [_allowed(item, pseudonyms) for item in element.value]
    if element.VR == "UI":
        return [_uid(str(value), pseudonyms) for value in values]
    if element.VR == "CS" and not all(CODE.fullmatch(str(value or "")) for value in values):
        return None
    if element.keyword == "PatientSex" and element.value not in demographics.SEXES.values():
        return None
    return element.value


def _uid(uid: str, pseudonyms: Pseudonyms) -> str:
    return uid if not uid or uid.startswith(STANDARD_UIDS) else pseudonyms.uid(uid)


def _attributes(original: Dataset, clean: Dataset, pseudonyms: Pseudonyms) -> dict[str, str]:
    patient, age = str(original.get("PatientID") or "").strip(), _age(original)
    maker = (clean.get(word) for word in ("Manufacturer", "ManufacturerModelName"))
    found = {
        "patient_id": pseudonyms.patient(patient) if patient else "",
        "age_band": "" if age is None else demographics.age_band(age),
        "sex": str(clean.get("PatientSex") or ""),
        "device": " ".join(str(word).strip() for word in maker if word),
        **{column: str(clean.get(word) or "") for column, word in IDENTIFIERS.items()},
    }
    return {column: value for column, value in found.items() if value}


def _age(original: Dataset) -> float | None:
    try:
        return demographics.years(str(original.get("PatientAge") or ""))
    except ValueError:
        return None


def _file_meta(original: Dataset, clean: Dataset) -> FileMetaDataset:
    implicit, little = original.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    bare = ImplicitVRLittleEndian if implicit else explicit
    syntax = UID(original.file_meta.get("TransferSyntaxUID") or bare)
    if not syntax.startswith(f"{STANDARD_UIDS}1.2"):
        raise DecodeError("the transfer syntax is none of the standard's")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = clean.SOPClassUID
    meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = "MEDLOOP"
    return meta
