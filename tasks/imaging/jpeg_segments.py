"""The segments of a JPEG or JPEG-LS file, and back to bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.common.errors import DecodeError
from tasks.imaging.jpeg import BARE

JPEG = b"\xff\xd8\xff"

APP0, APP1, APP8, APP14, SOS, EOI = 0xE0, 0xE1, 0xE8, 0xEE, 0xDA, 0xD9
DHT, DAC, DQT, DRI = 0xC4, 0xCC, 0xDB, 0xDD
SEQUENTIAL = {0xC0, 0xC1}
LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
ARITHMETIC = {*range(0xC9, 0xD0)} - {DAC}
LS_FRAME, LSE = 0xF7, 0xF8
# In entropy-coded data 0xFF is followed by a stuffed 0, a restart marker or a fill byte.
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
NEXT_LS_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # here by a byte below 0x80
RESTART = re.compile(rb"\xff[\xd0-\xd7]")

Key = tuple[int, int]  # marker, and which of its kind


class Segment(NamedTuple):
    """What stands behind a marker and its length, and the coded data that follow a SOS."""

    marker: int
    body: bytes
    scan: bytes = b""


def split(content: bytes, next_marker: re.Pattern[bytes] = NEXT_MARKER) -> Iterator[Segment]:
    """All segments up to EOI, which is left out.

    Raises:
        DecodeError: the structure is broken.
    """
    at = 2
    while True:
        while content[at : at + 2] == b"\xff\xff":
            at += 1
        if len(content) < at + 2 or content[at] != 0xFF:
            raise DecodeError("broken JPEG: it ends, or a marker is missing")
        marker, start = content[at + 1], at + 4
        if marker == EOI:
            return
        if marker in BARE:
            at += 2
            continue
        at += 2 + int.from_bytes(content[at + 2 : start], "big")
        if at > len(content) or at < start:
            raise DecodeError("broken JPEG: a segment is longer than the file")
        following = next_marker.search(content, at) if marker == SOS else None
        if marker == SOS and following is None:
            raise DecodeError("broken JPEG: the picture is cut off")
        end = following.start() if following else at
        yield Segment(marker, content[start:at], content[at:end])
        at = end


def joined(segments: Iterable[Segment]) -> bytes:
    """The file that they make, with SOI and EOI."""
    parts = [spelled(marker, body) + scan for marker, body, scan in segments]
    return b"".join([JPEG[:2], *parts, bytes([0xFF, EOI])])


def spelled(marker: int, body: bytes) -> bytes:
    """A segment as it stands in a file."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def tables(marker: int, body: bytes) -> Iterator[tuple[Key, bytes]]:
    """The tables of a DQT, DHT or DAC segment, each by what a later one replaces.

    Raises:
        DecodeError: one is longer than the segment.
    """
    at = 0
    while at < len(body):
        length = 2
        if marker == DQT:
            length = 1 + 64 * (1 + (body[at] >> 4 > 0))
        elif marker == DHT:
            length = 17 + sum(body[at + 1 : at + 17])
        if at + length > len(body):
            raise DecodeError("broken JPEG: a table is longer than its segment")
        slot = body[at] & 0xF if marker == DQT else body[at]
        yield (marker, slot), body[at : at + length]
        at += length
