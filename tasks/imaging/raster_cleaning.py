"""PNG, JPEG, TIFF and BMP without anything but their pixels and what changes how these look."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

import cv2
import imagecodecs
import numpy as np

from tasks.common.errors import DecodeError
from tasks.imaging.decoding import decode_deep
from tasks.imaging.formats import sniff
from tasks.imaging.jpeg import ORIENTATION, read_orientation
from tasks.imaging.levels import Numbers
from tasks.imaging.tiff_pages import pages_of

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"

APP0, APP1, APP8, APP14, SOS, EOI = 0xE0, 0xE1, 0xE8, 0xEE, 0xDA, 0xD9
# Frame headers (all but DHT, JPG and DAC of C0-CF), then DHT, DAC, DQT, DNL and DRI.
FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
JPEG_TABLES = FRAME_HEADERS | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}
JPEG_LS_TABLES = {0xF7, 0xF8, 0xDC, 0xDD}  # the frame header, LSE, DNL and DRI
# In entropy-coded data 0xFF is followed by a stuffed 0, a restart marker or a fill byte.
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
NEXT_LS_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # here by a byte below 0x80
PALETTE = 3
# How long each may be, so that nothing follows what it holds.
PNG_CHUNKS = {
    **{b"IHDR": 13, b"PLTE": 768, b"IDAT": 2**31, b"IEND": 0, b"tRNS": 256},
    **{b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9},
}


def clean_jpeg(content: bytes) -> bytes:
    """Tables, frames and scans, the JFIF and Adobe headers that set the colours, and of the EXIF
    the orientation alone. Comments, thumbnails, profiles and what follows the end are gone.

    Raises:
        DecodeError: its structure is broken.
    """
    parts = [content[:2]]
    orientation: int | None = None
    for marker, segment, scan in _jpeg_segments(content):
        body = segment[4:]
        if marker == APP1 and body.startswith(b"Exif\0\0") and orientation is None:
            orientation = read_orientation(body[6:])
        elif marker == APP0 and body.startswith(b"JFIF\0"):
            parts.append(_segment(APP0, body[:12] + b"\0\0"))  # no thumbnail: 0 x 0
        elif marker == APP14 and body.startswith(b"Adobe"):
            parts.append(_segment(APP14, body[:12]))
        elif marker in JPEG_TABLES or marker in (SOS, EOI):
            parts.append(segment + scan)
    if orientation is not None and orientation != 1:
        parts.insert(1, _segment(APP1, b"Exif\0\0" + _minimal_exif(orientation)))
    return b"".join(parts)


def clean_jpeg_ls(content: bytes) -> bytes:
    """A JPEG-LS picture's tables, frame and scans, and what turns its colours, which decoders heed.

    Raises:
        DecodeError: its structure is broken.
    """
    parts = [content[:2]]
    for marker, segment, scan in _jpeg_segments(content, NEXT_LS_MARKER):
        if marker == APP8 and segment[4:].startswith(b"mrfx"):
            parts.append(_segment(APP8, segment[4:9]))
        elif marker in JPEG_LS_TABLES or marker in (SOS, EOI):
            parts.append(segment + scan)
    return b"".join(parts)


def _jpeg_segments(
    content: bytes, next_marker: re.Pattern[bytes] = NEXT_MARKER
) -> Iterator[tuple[int, bytes, bytes]]:
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
        following = next_marker.search(content, at) if marker == SOS else None
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
    orientation: int | None = None
    for kind, body in _png_chunks(content):
        if len(parts) == 1 and kind != b"IHDR":
            raise DecodeError("broken PNG: it begins with no header")
        if kind in PNG_CHUNKS:
            if len(body) > PNG_CHUNKS[kind]:
                raise DecodeError("broken PNG: a chunk is longer than what it holds")
            parts.append(_chunk(kind, body))
        elif kind == b"eXIf" and orientation is None:  # libpng heeds the first, whatever it says
            orientation = read_orientation(body) or 1
            if orientation != 1:
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


def _minimal_exif(orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", ORIENTATION, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)


def rewrite(content: bytes) -> tuple[bytes, str, int]:
    """The pixels as they are decoded, as PNG, or as TIFF where PNG has no such type.

    Returns:
        The bytes, their suffix, and the bits of a sample.

    Raises:
        DecodeError: it cannot be read, holds several pages, or would not survive unchanged.
    """
    if sniff(content) == "tiff" and (pages := len(pages_of(content))) > 1:
        raise DecodeError(f"{pages} pages; required: one image a file")
    pixels = decode_deep(content)
    in_png = pixels.dtype in (np.uint8, np.uint16)
    written = _png(pixels) if in_png else _tiff(pixels)
    again, bits = decode_deep(written), f"u{pixels.itemsize}"  # NaN is not equal to itself
    if again.dtype != pixels.dtype or not np.array_equal(again.view(bits), pixels.view(bits)):
        raise DecodeError(f"pixels of type {pixels.dtype} cannot be written without loss")
    return written, ".png" if in_png else ".tiff", 8 * pixels.itemsize


def _png(pixels: Numbers) -> bytes:
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return bytes(cv2.imencode(".png", stored)[1].tobytes())


def _tiff(pixels: Numbers) -> bytes:
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    return bytes(imagecodecs.tiff_encode(pixels, compression="deflate", photometric=kind))


def png_bits(content: bytes) -> int:
    """Bits of a sample, of a palette's colours 8."""
    depth, kind = struct.unpack_from("BB", content, 24)
    return 8 if kind == PALETTE else int(depth)


def jpeg_bits(content: bytes) -> int:
    """Bits of a sample, by the frame header."""
    for marker, segment, _ in _jpeg_segments(content):
        if marker in FRAME_HEADERS:
            return segment[4]
    raise DecodeError("broken JPEG: no frame in it")
