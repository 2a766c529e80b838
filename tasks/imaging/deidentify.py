"""De-identify the bytes of an image file by allow-list: what is not named here does not pass.

The pixels stay what they were: DICOM, JPEG and PNG keep their compressed pixels byte for byte,
TIFF and BMP are written anew without loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.errors import DecodeError
from tasks.imaging import deidentify_dicom, deidentify_raster
from tasks.pseudonyms import Pseudonyms


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


def deidentify(content: bytes, pseudonyms: Pseudonyms) -> Clean:
    """De-identify one PNG, JPEG, TIFF, BMP or DICOM file.

    Raises:
        DecodeError: it cannot be parsed, so nothing of it may be copied; the reason identifies
            nobody.
    """
    if not content:
        raise DecodeError("the file is empty")
    if content.startswith(deidentify_raster.JPEG):
        return Clean(deidentify_raster.clean_jpeg(content), ".jpg")
    if content.startswith(deidentify_raster.PNG):
        return Clean(deidentify_raster.clean_png(content), ".png")
    if content.startswith(deidentify_raster.REWRITTEN):
        return Clean(*deidentify_raster.rewrite(content))
    if deidentify_dicom.is_dicom(content):
        clean, frames, attributes = deidentify_dicom.clean_dicom(content, pseudonyms)
        return Clean(clean, ".dcm", frames, attributes)
    raise DecodeError("neither PNG, JPEG, TIFF, BMP nor DICOM")
