"""What a file is, by its first bytes: names and suffixes lie."""

from __future__ import annotations

from typing import Literal

from tasks.common.errors import DecodeError

Format = Literal["png", "jpeg", "tiff", "bmp", "dicom"]

MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
    (b"BM", "bmp"),
)


def sniff(content: bytes) -> Format:
    """The format of a file, by its first 132 bytes or more.

    A DICOM file may begin with anything (PS3.10, 7.1), such as the header of a TIFF that shows its
    pixels too, so what stands behind its preamble comes first.

    Raises:
        DecodeError: it is none of the known ones.
    """
    if not content:
        raise DecodeError("the file is empty")
    if has_preamble(content):
        return "dicom"
    for magic, name in MAGIC:
        if content.startswith(magic):
            return name
    if _is_bare_dicom(content):
        return "dicom"
    raise DecodeError("neither PNG, JPEG, TIFF, BMP nor DICOM")


def has_preamble(content: bytes) -> bool:
    """Whether a file is DICOM as PS3.10 has it: 128 bytes of any kind, then its four letters."""
    return content[128:132] == b"DICM"


def _is_bare_dicom(content: bytes) -> bool:
    """Old files lack the preamble and begin at once with an element of group 2 or 8."""
    return content[:2] in (b"\x02\0", b"\x08\0") and content[3:4] == b"\0"
