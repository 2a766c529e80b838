"""DICOM without any element but those of an allow-list, which holds inside sequences too.

What the allow-list lets through is then treated by the Basic Profile and its options (`profile`);
free text passes in manufacturer and model only. Frames lose what is not the picture
(`deidentify_frames`). What is burned into the picture stays there, see `burned_in`.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import Any, NamedTuple

from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tasks.common.errors import DecodeError
from tasks.imaging import dicom, elements
from tasks.imaging.burned_in_text import BurnedIn, refuse_text
from tasks.imaging.frame_cleaning import clean_pixels
from tasks.imaging.identifying_elements import identifying
from tasks.imaging.profile import STANDARD_UIDS, Profile
from tasks.privacy import demographics
from tasks.privacy.pseudonyms import Pseudonyms

IDENTIFIERS = {
    "study_id": "StudyInstanceUID",
    "series_id": "SeriesInstanceUID",
    "instance_id": "SOPInstanceUID",
}
HEADER = {"modality": "Modality", "body_part": "BodyPartExamined", "sex": "PatientSex"}
CODE = re.compile(r"[A-Z0-9_ ]{0,16}")


class CleanDicom(NamedTuple):
    """See `tasks.imaging.deidentification.Clean`."""

    content: bytes
    frames: int
    attributes: dict[str, str | int]
    identifiers: frozenset[str]


def clean_dicom(content: bytes, pseudonyms: Pseudonyms, burned_in: BurnedIn) -> CleanDicom:
    """De-identify one file.

    Raises:
        DecodeError: it cannot be parsed or decoded, has no pixels, or these may identify.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote values
            original = elements.read(content)
            elements.require_picture(original)
            decoded = refuse_text(original, burned_in)
            clean = _clean(original, pseudonyms)
            for frame in range(0 if decoded else clean.frames):
                dicom.shown(original, None, frame)  # what cannot be decoded is not copied
            return clean
    except DecodeError:
        raise
    except Exception as error:  # a damaged file fails in any way, and messages quote values
        raise DecodeError(f"broken DICOM ({type(error).__name__})") from None


def dicom_identifiers(content: bytes) -> frozenset[str]:
    """The identifying values of one file; any exception where it cannot be parsed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return identifying(elements.read(content))


def _clean(original: Dataset, pseudonyms: Pseudonyms) -> CleanDicom:
    patient = str(original.get("PatientID") or "").strip()
    profile = Profile(pseudonyms, patient or str(original.get("StudyInstanceUID") or ""))
    clean = _allowed(original, profile)
    clean.SpecificCharacterSet = "ISO_IR 192"
    profile.record(clean)
    if patient:
        clean.PatientID = pseudonyms.patient(patient)
    if (age := _age(original)) is not None:
        clean.PatientAge = f"{demographics.decade(age):03d}Y"
    clean.file_meta = _file_meta(original, clean)
    _add_pixels(original, clean)
    buffer = io.BytesIO()
    clean.save_as(buffer, enforce_file_format=True)
    frames = elements.frame_count(original)
    return CleanDicom(buffer.getvalue(), frames, _attributes(clean, age), identifying(original))


def _allowed(original: Dataset, profile: Profile) -> Dataset:
    clean = Dataset()
    for tag in sorted(elements.ALLOWED.intersection(original.keys())):
        element = elements.legible(original, tag)
        value = None if element is None else _value(element, profile)
        if element is not None and value is not None:
            undefined = element.is_undefined_length
            clean.add(DataElement(tag, element.VR, value, None, undefined, IGNORE))
        elif tag in elements.DECIDING:
            raise DecodeError(f"broken DICOM: {keyword_for_tag(tag)} holds something else")
    profile.apply(clean)
    return clean


def _add_pixels(original: Dataset, clean: Dataset) -> None:
    """Add the pixel data to `clean`; not by `ALLOWED`, which would take them in a sequence too."""
    element, syntax = original["PixelData"], clean.file_meta.TransferSyntaxUID
    if element.VR not in ("OB", "OW") or element.is_undefined_length != syntax.is_encapsulated:
        raise DecodeError("broken DICOM: the pixel data are not what the transfer syntax says")
    pixels = clean_pixels(original, syntax)
    clean.add(DataElement(element.tag, element.VR, pixels, None, syntax.is_encapsulated))


def _value(element: DataElement, profile: Profile) -> Any:
    """The value as it may be kept; None where its content is not what its tag says."""
    if element.VR == "SQ":
        return [_allowed(_settled(item), profile) for item in element.value]
    values = [element.value] if element.VM < 2 else list(element.value)
    if element.VR == "CS" and not all(CODE.fullmatch(str(value or "")) for value in values):
        return None
    if element.keyword == "PatientSex" and element.value not in demographics.SEXES.values():
        return None
    return element.value


def _settled(item: Dataset) -> Dataset:
    elements.settle(item)
    return item


def _attributes(clean: Dataset, age: float | None) -> dict[str, str | int]:
    """Columns of the cohort; all but the age from what was kept."""
    maker = (clean.get(word) for word in ("Manufacturer", "ManufacturerModelName"))
    words = {"patient_id": "PatientID"} | IDENTIFIERS | HEADER
    found = {
        **{column: str(clean.get(word) or "").strip() for column, word in words.items()},
        "age_band": "" if age is None else demographics.age_band(age),
        "device": " ".join(str(word).strip() for word in maker if word),
        "bits": int(clean.get("BitsStored") or 0),
        "compression": clean.file_meta.TransferSyntaxUID.name,
    }
    return {column: value for column, value in found.items() if value}


def _age(original: Dataset) -> float | None:
    try:
        return demographics.years(str(original.get("PatientAge") or ""))
    except ValueError:
        return None


def _file_meta(original: Dataset, clean: Dataset) -> FileMetaDataset:
    if not (clean.get("SOPClassUID") and clean.get("SOPInstanceUID")):
        raise DecodeError("DICOM without SOPClassUID or SOPInstanceUID")
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
