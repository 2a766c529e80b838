"""Elements of a DICOM header: which of them decide the pixels, which a de-identified copy keeps.

What is empty counts as absent, and a term of the standard is one in small letters too. Decoding and
de-identification read alike, so a file served as it came gives the pixels of its copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from tasks.common.errors import DecodeError
from tasks.imaging import limits

# These decide the pixels: a file in which one of them cannot be read is refused.
LAYOUT = """
    SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns
    BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue PixelPaddingRangeLimit
    LossyImageCompression"""
GREYS = """
    RescaleSlope RescaleIntercept RescaleType WindowCenter WindowWidth VOILUTFunction
    ModalityLUTSequence VOILUTSequence PixelValueTransformationSequence FrameVOILUTSequence
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence"""
DESCRIPTORS = """
    LUTDescriptor RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor
    BluePaletteColorLookupTableDescriptor"""
TABLES = """
    LUTData RedPaletteColorLookupTableData GreenPaletteColorLookupTableData
    BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData
    SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData"""
# These do not: one that cannot be read is left out of the copy.
ABOUT = """
    PixelAspectRatio SmallestImagePixelValue LargestImagePixelValue LossyImageCompressionRatio
    LossyImageCompressionMethod PresentationLUTShape PixelIntensityRelationship
    PixelIntensityRelationshipSign"""
GEOMETRY = """
    PixelSpacing ImagerPixelSpacing SliceThickness SpacingBetweenSlices SliceLocation
    ImagePositionPatient ImageOrientationPatient PatientPosition PatientOrientation ViewPosition
    Laterality ImageLaterality InstanceNumber PixelMeasuresSequence PlanePositionSequence
    PlaneOrientationSequence"""
CONTEXT = """
    Modality BodyPartExamined Manufacturer ManufacturerModelName KVP PatientSex SOPClassUID
    SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID StudyDate SeriesDate
    AcquisitionDate ContentDate"""


def _tags(words: str) -> frozenset[int]:
    return frozenset(tag for word in words.split() if (tag := tag_for_keyword(word)))


def _terms(words: str) -> frozenset[str]:
    return frozenset(words.split())


DECIDING = _tags(LAYOUT + GREYS + DESCRIPTORS + TABLES)
ALLOWED = DECIDING | _tags(ABOUT + GEOMETRY + CONTEXT)
# Tables come in any type of bytes or words, and in none where they are too long for US.
TYPES: Mapping[int, frozenset[str]] = {
    tag: frozenset(dictionary_VR(tag).split(" or "))
    | ({"US", "SS", "OB", "OW", "UN"} if tag in _tags(TABLES) else set())
    for tag in ALLOWED
}
# Values that are terms of the standard whatever the case of their letters. Others stay as they are:
# in capitals, a name would pass as a code.
TERMS: Mapping[str, frozenset[str]] = {
    "PhotometricInterpretation": _terms(
        """
        MONOCHROME1 MONOCHROME2 RGB YBR_FULL YBR_FULL_422 YBR_PARTIAL_422 YBR_PARTIAL_420 YBR_ICT
        YBR_RCT HSV ARGB CMYK"""
    )
    | {"PALETTE COLOR"},
    "VOILUTFunction": _terms("LINEAR LINEAR_EXACT SIGMOID"),
    "LossyImageCompression": _terms("00 01"),
    # Decides whether a CT preset suits; its type is free text (PS3.3 C.11.1.1.2).
    "RescaleType": _terms("HU US OD HU_MOD Z_EFF ED EDW MGML PCT"),
    # Those of CID 29 (PS3.16) that make pictures, and others that have some.
    "Modality": _terms(
        """
        BDUS BI BMD CFM CR CT DG DMS DOC DX ES GM HC IO IVOCT IVUS LS MG MR NM OCT OP OPM OPT OT
        PA PT PX RF RG RTIMAGE SC SEG SM TG US VA XA XC"""
    ),
    "PresentationLUTShape": _terms("IDENTITY INVERSE"),
    "PatientSex": _terms("F M O"),
}
OPTIONAL = ("VOILUTFunction", "LossyImageCompression", "PresentationLUTShape")
UNSPECIFIED = "US"  # a rescale type that says nothing
SETTLED = DECIDING | _tags(" ".join(TERMS))
GROUPS = _tags("SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence")
FLOATS = ("FloatPixelData", "DoubleFloatPixelData")
OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
REQUIRED = """
    SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored
    PixelRepresentation"""


def read(content: bytes) -> Dataset:
    """A DICOM file with its header settled.

    Raises:
        DecodeError: it is too large, or an element that decides the pixels cannot be read.
    """
    dataset = limits.read_dicom(content)
    settle(dataset)
    if not all(dataset.get(word) for word in OFFSETS):  # either alone says nothing
        for word in OFFSETS:
            dataset.pop(word, None)
    return dataset


def settle(dataset: Dataset) -> None:
    """Drop what is empty and name terms as the standard does, in place and in sequences too.

    Not so in functional groups: of thousands decoding reads two, which it settles then.

    Raises:
        DecodeError: an element that decides the pixels cannot be read.
    """
    for tag in sorted(SETTLED.intersection(dataset.keys())):
        element = legible(dataset, tag)
        if element is None and tag in DECIDING:
            raise DecodeError(f"broken DICOM: {keyword_for_tag(tag)} holds something else")
        if element is None or is_empty(element):
            del dataset[tag]
        elif element.VR == "SQ":
            for item in element.value if tag not in GROUPS else ():
                settle(item)
        elif element.keyword in TERMS:
            _name_term(dataset, element)


def _name_term(dataset: Dataset, element: DataElement) -> None:
    term = str(element.value).strip(" \0").upper()
    if term in TERMS[element.keyword]:
        element.value = term
    elif element.keyword == "RescaleType":
        element.value = UNSPECIFIED
    elif element.keyword in OPTIONAL:
        del dataset[element.tag]


def legible(dataset: Dataset, tag: int) -> DataElement | None:
    """One element, or None where it cannot be read or is of another type than its tag says."""
    try:
        element = dataset[tag]
    except Exception:  # pydicom reads a value when it is asked for
        return None
    if is_empty(element):
        return element
    # What is no number pydicom leaves as text.
    numeric = element.VR not in ("DS", "IS") or not any(map(_is_text, _values(element)))
    return element if numeric and element.VR in TYPES[tag] else None


def is_empty(element: DataElement) -> bool:
    """Whether an element holds no value: nothing, blanks, or a list or sequence of that."""
    return not any(map(_says_something, _values(element)))


def _values(element: DataElement) -> list[Any]:
    several = element.VM > 1 or element.VR == "SQ"
    return list(element.value) if several else [element.value]


def _says_something(value: Any) -> bool:
    if isinstance(value, bytes | Dataset):
        return len(value) > 0
    return _is_text(value) if isinstance(value, str) else value is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip(" \0"))


def require_picture(dataset: Dataset) -> None:
    """Refuse what has no pixels that can be read.

    Raises:
        DecodeError: it has none, floating-point ones, or does not say how they lie or how many.
    """
    if any(name in dataset for name in FLOATS):
        raise DecodeError("DICOM with floating-point pixels; required: integers")
    if not dataset.get("PixelData"):
        raise DecodeError("DICOM without pixel data")
    if missing := [name for name in REQUIRED.split() if name not in dataset]:
        raise DecodeError(f"DICOM without {', '.join(missing)}")
    frame_count(dataset)


def frame_count(dataset: Dataset) -> int:
    """Frames of a file whose header is settled.

    Raises:
        DecodeError: the header says none, or no whole number of them.
    """
    count = float(dataset.get("NumberOfFrames", 1))
    if count < 1 or not count.is_integer():
        raise DecodeError("NumberOfFrames is no count of frames; required: 1 or more")
    return int(count)


def high_bit(dataset: Dataset) -> int:
    """The place of a value's highest bit; an impossible one counts as none, as in pydicom."""
    lowest = int(dataset.BitsStored) - 1
    high = int(dataset.get("HighBit", lowest))
    return high if lowest <= high < int(dataset.BitsAllocated) else lowest
