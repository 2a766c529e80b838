"""The boxes around a JPEG 2000 codestream: DICOM forbids them, and some write them nevertheless."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tasks.common.errors import DecodeError

MAGIC = b"\0\0\0\x0cjP  \r\n\x87\n"
CODESTREAM = b"jp2c"


def require_codestream(frame: bytes) -> None:
    """Check that a JP2 file holds a codestream: pydicom would search for it without end.

    Raises:
        DecodeError: it holds none.
    """
    if frame.startswith(MAGIC) and all(kind != CODESTREAM for kind, _ in boxes(frame)):
        raise DecodeError("the pixel data are damaged: a JP2 file without a codestream")


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each box (ISO/IEC 15444-1, I.4)."""
    at = 0
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        head = 8
        if length == 1 and at + 16 <= len(content):
            head, length = 16, struct.unpack_from(">Q", content, at + 8)[0]
        end = at + max(length, head) if length else len(content)
        yield kind, content[at + head : end]
        at = end
