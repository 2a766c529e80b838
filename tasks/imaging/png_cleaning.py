"""PNG with its header and coded pixels, byte for byte, and nothing else."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import dropwhile, takewhile

from tasks.common.errors import DecodeError
from tasks.imaging import limits
from tasks.imaging.jpeg import read_orientation
from tasks.imaging.jpeg_cleaning import minimal_exif

PNG = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">IIBBBBB")  # width, height, depth, colour type, and how it is coded
SAMPLES = {0: 1, 2: 3}  # of a pixel, by the colour types without palette and alpha
PALETTE = 3
FILTERS = 5
WIDEST = 2**20  # pixels that OpenCV reads on an axis


def clean_png(content: bytes) -> bytes | None:
    """The header, the pixels, and of an EXIF chunk the orientation.

    Returns:
        None: there is room for other things in the way its pixels are coded, such as a palette,
        alpha, bits beside those of a sample, or data behind the last row; so it must be written
        anew as what is decoded from it, if anything is.

    Raises:
        DecodeError: its structure is broken, a chunk is damaged, or it is too large.
    """
    chunks = list(_chunks(content))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != HEADER.size:
        raise DecodeError("broken PNG: it begins with no header")
    limits.require_picture(content)
    coded = dropwhile(lambda chunk: chunk[0] != b"IDAT", chunks)  # decoders read the first run
    pixels = _exact(chunks[0][1], b"".join(body for _, body in takewhile(_is_idat, coded)))
    if pixels is None:
        return None
    parts, orientation = [PNG, _chunk(*chunks[0])], None
    for kind, body in chunks:
        if kind == b"IDAT" and pixels:
            parts.append(_chunk(kind, pixels))
            pixels = b""
        elif kind == b"eXIf" and orientation is None:  # libpng heeds the first, whatever it says
            orientation = read_orientation(body) or 1
            parts += [_chunk(kind, minimal_exif(orientation))] if orientation != 1 else []
    return b"".join([*parts, _chunk(b"IEND", b"")])


def bits(content: bytes) -> int:
    """Bits of a sample, of a palette's colours 8."""
    _, _, depth, kind, *_ = HEADER.unpack_from(content, 16)
    return 8 if kind == PALETTE else int(depth)


def _is_idat(chunk: tuple[bytes, bytes]) -> bool:
    return chunk[0] == b"IDAT"


def _exact(header: bytes, data: bytes) -> bytes | None:
    """Coded pixels up to the end of their stream, if it holds the rows and nothing else."""
    width, height, depth, kind, *coding = HEADER.unpack(header)
    if kind not in SAMPLES or depth not in (8, 16) or any(coding) or max(width, height) > WIDEST:
        return None
    row = 1 + width * SAMPLES[kind] * depth // 8
    inflater = zlib.decompressobj()
    try:
        rows = inflater.decompress(data, row * height + 1)
    except zlib.error:
        return None
    if not rows or len(rows) != row * height or not inflater.eof or max(rows[::row]) >= FILTERS:
        return None
    return data[: len(data) - len(inflater.unused_data)]


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each chunk up to IEND, which is left out."""
    at = len(PNG)
    while True:
        head = content[at : at + 8]
        if len(head) < 8:
            raise DecodeError("broken PNG: the picture is cut off")
        length, kind = struct.unpack(">I4s", head)
        body, crc = content[at + 8 : at + 8 + length], content[at + 8 + length : at + 12 + length]
        if crc != struct.pack(">I", zlib.crc32(kind + body)):
            raise DecodeError("broken PNG: a chunk is damaged or cut off")
        if kind == b"IEND":
            return
        yield kind, body
        at += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum
