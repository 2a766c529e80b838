"""De-identify the bytes of an image file by allow-list: what is not named here does not pass.

The pixels stay what they were: DICOM, JPEG and PNG keep their compressed pixels byte for byte,
TIFF and BMP are written anew as what is decoded from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.common.errors import DecodeError
from tasks.imaging.burned_in_text import BurnedIn
from tasks.imaging.dicom_cleaning import clean_dicom, dicom_identifiers
from tasks.imaging.formats import sniff
from tasks.imaging.raster_cleaning import clean_raster
from tasks.imaging.refusal import refusing
from tasks.privacy.pseudonyms import Pseudonyms


@dataclass(frozen=True)
class Clean:
    """A de-identified file.

    Attributes:
        content: its bytes.
        suffix: what its bytes are, such as `.png`, whatever the original was called.
        frames: images in the file, each of them one row of the cohort.
        attributes: what the header tells about the image, under the cohort's column names.
        identifiers: values of the original that name a person or a place and were removed.
    """

    content: bytes
    suffix: str
    frames: int = 1
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    identifiers: frozenset[str] = frozenset()


def deidentify(content: bytes, pseudonyms: Pseudonyms, burned_in: BurnedIn = "detect") -> Clean:
    """De-identify one PNG, JPEG, TIFF, BMP or DICOM file.

    Args:
        content: the file's bytes.
        pseudonyms: the key.
        burned_in: what to do with DICOM files of kinds that often carry text in the picture, see
            `tasks.imaging.burned_in_text`. Other files do not say what kind they are, so they pass.

    Raises:
        DecodeError: it cannot be parsed, so nothing of it may be copied, or its pixels may
            identify; the reason identifies nobody.
        MemoryError: there is not enough for it here.
    """
    with refusing("picture"):
        return _deidentify(content, pseudonyms, burned_in)


def identifiers(content: bytes) -> frozenset[str]:
    """Values of a file that name a person or a place, as `Clean` has them; none where it cannot be
    parsed.
    """
    try:
        with refusing("picture"):
            return dicom_identifiers(content) if sniff(content) == "dicom" else frozenset()
    except DecodeError:
        return frozenset()


def _deidentify(content: bytes, pseudonyms: Pseudonyms, burned_in: BurnedIn) -> Clean:
    kind = sniff(content)
    if kind == "dicom":
        dicom = clean_dicom(content, pseudonyms, burned_in)
        return Clean(dicom.content, ".dcm", dicom.frames, dicom.attributes, dicom.identifiers)
    clean = clean_raster(content, kind)
    return Clean(clean.content, clean.suffix, attributes={"bits": clean.bits, "compression": kind})
