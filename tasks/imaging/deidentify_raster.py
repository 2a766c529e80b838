"""PNG, JPEG, TIFF and BMP without anything but their pixels and what changes how these look."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from tasks.errors import DecodeError

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
REWRITTEN = (b"BM", b"II*\0", b"MM\0*")  # BMP and TIFF of both byte orders

APP0, APP1, APP14, SOS, EOI = 0xE0, 0xE1, 0xEE, 0xDA, 0xD9
# Frame headers (all but DHT, JPG and DAC of C0-CF), then DHT, DAC, DQT, DNL and DRI.
JPEG_TABLES = {*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD} - {0xC8}
# In entropy-coded data 0xFF is followed by a stuffed 0, a restart marker or a fill byte.
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
PNG_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs"}
ORIENTATION = 0x0112


def clean_jpeg(content: bytes) -> bytes:
    """Tables, frames and scans, the JFIF and Adobe headers that set the colours, and of the EXIF
    the orientation alone. Comments, thumbnails, profiles and what follows the end are gone.

    Raises:
        DecodeError: its structure is broken.
    """
    parts, orientation = [content[:2]], 1
    for marker, segment, scan in _jpeg_segments(content):
        body = segment[4:]
        if marker == APP1 and body.startswith(b"Exif\0\0") and orientation == 1:
            orientation = _orientation(body[6:])
        elif marker == APP0 and body.startswith(b"JFIF\0"):
            parts.append(_segment(APP0, body[:12] + b"\0\0"))  # no thumbnail: 0 x 0
        elif marker == APP14 and body.startswith(b"Adobe"):
            parts.append(_segment(APP14, body[:12]))
        elif marker in JPEG_TABLES or marker in (SOS, EOI):
            parts.append(segment + scan)
    if orientation != 1:
        parts.insert(1, _segment(APP1, b"Exif\0\0" + _minimal_exif(orientation)))
    return b"".join(parts)


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker, its segment with marker and length, and the scan that follows a SOS; up to EOI."""
    at, marker = 2, 0
    while marker != EOI:
        while content[at : at + 2] == b"\xff\xff":
            at += 1
        if len(content) < at + 2 or content[at] != 0xFF:
            raise DecodeError("broken JPEG: it ends, or a marker is missing")
        marker, start = content[at + 1], at
        at += 2 if marker == EOI else 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if at > len(content) or (marker != EOI and at < start + 4):
            raise DecodeError("broken JPEG: a segment is longer than the file")
        following = NEXT_MARKER.search(content, at) if marker == SOS else None
        if marker == SOS and following is None:
            raise DecodeError("broken JPEG: the picture is cut off")
        end = following.start() if following else at
        yield marker, content[start:at], content[at:end]
        at = end


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def clean_png(content: bytes) -> bytes:
    """The chunks of `PNG_CHUNKS`, and of an EXIF chunk the orientation alone.

    Raises:
        DecodeError: its structure is broken or a chunk is damaged.
    """
    parts = [PNG]
    for kind, body in _png_chunks(content):
        if kind in PNG_CHUNKS:
            parts.append(_chunk(kind, body))
        elif kind == b"eXIf" and (orientation := _orientation(body)) != 1:
            parts.append(_chunk(kind, _minimal_exif(orientation)))
    return b"".join(parts)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, kind = len(PNG), b""
    while kind != b"IEND":
        head = content[at : at + 8]
        if len(head) < 8:
            raise DecodeError("broken PNG: the picture is cut off")
        length, kind = struct.unpack(">I4s", head)
        body, crc = content[at + 8 : at + 8 + length], content[at + 8 + length : at + 12 + length]
        if crc != struct.pack(">I", zlib.crc32(kind + body)):
            raise DecodeError("broken PNG: a chunk is damaged or cut off")
        yield kind, body
        at += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def _orientation(exif: bytes) -> int:
    """The orientation in the first directory of an EXIF block, 1 (upright) where there is none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == ORIENTATION:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:  # a directory cut off holds no orientation
        pass
    return 1


def _minimal_exif(orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", ORIENTATION, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)


def rewrite(content: bytes) -> tuple[bytes, str]:
    """The pixels alone, as PNG, or as TIFF where PNG has no such type; with the file's suffix.

    Raises:
        DecodeError: it cannot be read, holds several pages, or would not survive unchanged.
    """
    read, pages = cv2.imdecodemulti(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if not read or not pages:
        raise DecodeError("broken TIFF or BMP: it cannot be read")
    if len(pages) > 1:
        raise DecodeError(f"{len(pages)} pages; required: one image a file")
    pixels = pages[0]
    suffix = ".png" if pixels.dtype in (np.uint8, np.uint16) else ".tiff"
    written, encoded = cv2.imencode(suffix, pixels)
    again = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if written else None
    if again is None or again.dtype != pixels.dtype or not np.array_equal(again, pixels):
        raise DecodeError(f"pixels of type {pixels.dtype} cannot be written without loss")
    return encoded.tobytes(), suffix
