"""JPEG and JPEG-LS with what their picture is decoded from, byte for byte, and nothing else.

Comments, thumbnails, profiles and what follows the end are gone; so are tables that no scan uses,
scans that nothing is decoded from, a number of lines that the frame has said already, and bytes
behind the last block of a scan.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DecodeError
from tasks.imaging.jpeg import BARE, FRAMES, ORIENTATION, PROGRESSIVE, read_orientation

JPEG = b"\xff\xd8\xff"

APP0, APP1, APP8, APP14, SOS, EOI = 0xE0, 0xE1, 0xE8, 0xEE, 0xDA, 0xD9
DHT, DAC, DQT, DRI = 0xC4, 0xCC, 0xDB, 0xDD
SEQUENTIAL = {0xC0, 0xC1}
LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
ARITHMETIC = {*range(0xC9, 0xD0)} - {DAC}
LS_FRAME, LSE = 0xF7, 0xF8
LS_PRESETS = 1  # the kind of LSE that changes how the picture is decoded
JFIF = b"JFIF\0\1\1\0\0\1\0\1\0\0"  # version 1.1, no density, no thumbnail
ADOBE = b"Adobe\0\x64\0\0\0\0"  # version 100, no flags; the colours follow
# In entropy-coded data 0xFF is followed by a stuffed 0, a restart marker or a fill byte.
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
NEXT_LS_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # here by a byte below 0x80
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
FILLINGS = (b"\x55", b"\xaa", b"\x00")  # of a scan's end: were it needed, one would change it
COLORS = {3: "RGB", 4: "CMYK"}  # by the number of components: as they are stored
LEAST_TAIL, LEFT = 2, 1  # bytes behind a scan that are looked for, and that stay to be sure

Key = tuple[int, int]  # marker, and which of its kind
Progress = dict[tuple[int, int], int]  # component and coefficient -> lowest bit that is known


Show = Callable[[bool], NDArray[Any]]  # of a picture: its pixels, or those of `_magnified`


class Segment(NamedTuple):
    """What stands behind a marker and its length, and the coded data that follow a SOS."""

    marker: int
    body: bytes
    scan: bytes = b""


class Scan(NamedTuple):
    """The header of a scan: components with their DC and AC tables, and what it codes of them."""

    components: list[tuple[int, int, int]]
    first: int
    last: int
    high: int
    low: int


def clean_jpeg(content: bytes, whole: bool = True) -> bytes:
    """A JPEG with tables, frame and scans, the marks of JFIF and Adobe that set the colours, and of
    the EXIF the orientation.

    Args:
        content: the file's bytes.
        whole: it is not too large to be decoded, which shows what lies behind the last block.

    Raises:
        DecodeError: its structure is broken.
        Exception: it cannot be decoded; any of libjpeg's wrapper.
    """
    found = list(_segments(content))
    exif = (read_orientation(body[6:]) for marker, body, _ in found if _is_exif(marker, body))
    orientation = next((value for value in exif if value is not None), 1)
    kept = _needed(found)
    if whole:
        kept = _without_tails(kept)
    if orientation != 1:
        kept.insert(0, Segment(APP1, b"Exif\0\0" + minimal_exif(orientation)))
    return _joined(kept)


def minimal_exif(orientation: int) -> bytes:
    """An EXIF block of the orientation alone."""
    entry = struct.pack("<HHIHH", ORIENTATION, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)


def clean_jpeg_ls(content: bytes) -> bytes:
    """A JPEG-LS picture's frame, presets and scans, and what turns its colours, which decoders
    heed. Data behind a scan CharLS refuses to decode.

    Raises:
        DecodeError: its structure is broken.
    """
    kept = []
    for marker, body, scan in _segments(content, NEXT_LS_MARKER):
        if marker == APP8 and body.startswith(b"mrfx"):
            kept.append(Segment(APP8, body[:5]))
        elif marker in (LS_FRAME, DRI, SOS) or (marker == LSE and body[:1] == bytes([LS_PRESETS])):
            kept.append(Segment(marker, body[:11] if marker == LSE else body, scan))
    return _joined(kept)


def _segments(content: bytes, next_marker: re.Pattern[bytes] = NEXT_MARKER) -> Iterator[Segment]:
    """All segments up to EOI, which is left out."""
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


def _joined(segments: Iterable[Segment]) -> bytes:
    parts = [_segment(marker, body) + scan for marker, body, scan in segments]
    return b"".join([JPEG[:2], *parts, bytes([0xFF, EOI])])


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _is_exif(marker: int, body: bytes) -> bool:
    return marker == APP1 and body.startswith(b"Exif\0\0")


def _needed(found: Iterable[Segment]) -> list[Segment]:
    """The frame, its scans, and of tables what a scan uses, all in their order."""
    read: list[Segment] = []
    defined: dict[Key, tuple[int, int]] = {}  # where it stands: segment, and place in it
    used: set[tuple[int, int]] = set()
    frame: Segment | None = None
    progress: Progress = {}
    for segment in found:
        read.append(segment)
        if segment.marker == SOS and frame:
            keys = _used_by(frame, scan := _scan(frame, segment), progress)
            used |= {defined[key] for key in keys if key in defined}
            restarts = (DRI, 0) in defined and any(read[defined[DRI, 0][0]].body)
            read[-1] = segment._replace(scan=_coded(segment.scan, restarts))
            if frame.marker not in PROGRESSIVE and len(scan.components) == frame.body[5]:
                break  # so do decoders
        frame = _only(frame, segment) if segment.marker in FRAMES else frame
        places = enumerate(_definitions(segment))
        defined |= {key: (len(read) - 1, at) for at, (key, _) in places}
    if not progress:
        raise DecodeError("broken JPEG: no frame in it, or no picture")
    return [kept for at, segment in enumerate(read) if (kept := _kept(segment, at, used))]


def _coded(scan: bytes, restarts: bool) -> bytes:
    """A scan without what fills the way to the next marker, and, if nothing restarts in it, up to
    the first marker that says so, where decoders stop.
    """
    return (scan if restarts else RESTART.split(scan, maxsplit=1)[0]).rstrip(b"\xff")


def _only(frame: Segment | None, segment: Segment) -> Segment:
    body = segment.body
    if frame or len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise DecodeError("broken JPEG: several frames, or one of another length")
    return segment


def _kept(segment: Segment, number: int, used: set[tuple[int, int]]) -> Segment | None:
    if segment.marker in FRAMES or segment.marker == SOS:
        return segment
    parts = [body for at, (_, body) in enumerate(_definitions(segment)) if (number, at) in used]
    return segment._replace(body=b"".join(parts)) if parts else None


def _definitions(segment: Segment) -> list[tuple[Key, bytes]]:
    """What a segment defines for the scans that follow, each by what a later one replaces."""
    marker, body, _ = segment
    if marker == APP0 and body.startswith(b"JFIF\0"):
        return [((APP0, 0), JFIF)]
    if marker == APP14 and body.startswith(b"Adobe") and len(body) >= 12:
        return [((APP14, 0), ADOBE + body[11:12])]
    if marker == DRI:
        return [((DRI, 0), body[:2])]
    return list(_tables(marker, body)) if marker in (DQT, DHT, DAC) else []


def _tables(marker: int, body: bytes) -> Iterator[tuple[Key, bytes]]:
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


def _scan(frame: Segment, segment: Segment) -> Scan:
    body = segment.body
    count = body[0] if body else 0
    if not count or len(body) != 4 + 2 * count:
        raise DecodeError("broken JPEG: the header of a scan is of another length")
    known = frame.body[6::3]
    named = [(body[1 + 2 * at], *divmod(body[2 + 2 * at], 16)) for at in range(count)]
    if any(component not in known for component, _, _ in named):
        raise DecodeError("broken JPEG: a scan of what is not in the frame")
    first, last, bits = body[-3:]
    if frame.marker in PROGRESSIVE and not first <= last < 64:
        raise DecodeError("broken JPEG: a scan of coefficients that there are not")
    return Scan(named, first, last, *divmod(bits, 16))


def _used_by(frame: Segment, scan: Scan, progress: Progress) -> set[Key]:
    """The tables that a scan is decoded by; `progress` is brought up to date.

    Raises:
        DecodeError: the scan repeats what came before it, so one of them shows nothing.
    """
    keys = {(APP0, 0), (APP14, 0)} if not progress else set()
    keys.add((DRI, 0))
    progressive, lossless = frame.marker in PROGRESSIVE, frame.marker in LOSSLESS
    coded = range(scan.first, scan.last + 1) if progressive else range(1)
    table = DAC if frame.marker in ARITHMETIC else DHT
    for component, dc, ac in scan.components:
        if not lossless and not any(known == component for known, _ in progress):
            keys.add((DQT, frame.body[8::3][frame.body[6::3].index(component)]))
        for coefficient in coded:
            before, low = progress.get((component, coefficient)), scan.low * progressive
            expected = (0, low) if before is None else (before, before - 1)
            if (scan.high * progressive, low) != expected or low < 0:
                raise DecodeError("broken JPEG: a scan repeats what is known already")
            progress[component, coefficient] = low
        if not (progressive and (scan.first or scan.high)):
            keys.add((table, dc))
        if not lossless and (not progressive or scan.first):
            keys.add((table, 0x10 | ac))
    return keys


def _without_tails(segments: list[Segment]) -> list[Segment]:
    """Each scan without the bytes that nothing is decoded from, also between restarts."""
    cut = _between_restarts(segments)
    pixels = _pixels(segments)
    pixels(False)  # which fails where it cannot be decoded
    for at, segment in enumerate(cut):
        if segment.marker == SOS:
            cut[at] = segment._replace(scan=_decoded(cut, at, pixels))
    return cut


def _between_restarts(segments: list[Segment]) -> list[Segment]:
    """The same for all parts of the scan but the last: each is a picture of its own, one row high.
    Not where there are several scans, whose parts need each other.
    """
    frame = next(segment for segment in segments if segment.marker in FRAMES)
    intervals = [segment.body for segment in segments if segment.marker == DRI]
    *before, scan = segments
    interval = int.from_bytes(intervals[-1], "big") if intervals else 0
    height, width = _unit(frame)
    down, across = struct.unpack(">HH", frame.body[1:5])
    units = -(-down // height) * -(-across // width)
    width *= interval
    several = any(segment.marker == SOS for segment in before)
    if several or frame.marker not in SEQUENTIAL or not 0 < width < 2**16:
        return list(segments)
    size = frame.body[:1] + struct.pack(">HH", height, width) + frame.body[5:]
    row = [frame._replace(body=size) if segment is frame else segment for segment in before]
    parts = RESTART.split(scan.scan)
    restarts = min((units - 1) // interval, len(parts) - 1)  # what is behind them is not decoded
    pictures = ([*row, scan._replace(scan=part)] for part in parts[:restarts])
    parts[:restarts] = [_decoded(each, len(row), _pixels(each)) for each in pictures]
    marks = [*RESTART.findall(scan.scan), b""]
    marked = zip(parts, marks, strict=True)
    return [*before, scan._replace(scan=b"".join(map(b"".join, marked)))]


def _unit(frame: Segment) -> tuple[int, int]:
    """Height and width in pixels of what is coded together."""
    factors = [divmod(factor, 16) for factor in frame.body[7::3]]
    if len(factors) == 1:
        return 8, 8
    return 8 * max(down for _, down in factors), 8 * max(across for across, _ in factors)


def _pixels(segments: list[Segment]) -> Show:
    """The picture, once it is asked for, and magnified."""
    return cache(lambda magnified: _shown(segments, magnified))


def _decoded(segments: list[Segment], at: int, pixels: Show) -> bytes:
    """The data of one scan without the end that nothing is decoded from; `pixels` are those of the
    picture that the scan is in.
    """
    whole = segments[at].scan

    def same(scan: bytes) -> bool:
        other = [*segments[:at], segments[at]._replace(scan=scan), *segments[at + 1 :]]
        return all(np.array_equal(_shown(other, view), pixels(view)) for view in (False, True))

    return whole[: len(whole) - _tail(whole, same)].rstrip(b"\xff")  # nor half a stuffed byte


def _shown(segments: list[Segment], magnified: bool) -> NDArray[Any]:
    """The pixels, decoded by libjpeg, whose wrapper raises exceptions of its own."""
    if magnified:
        return _magnified(segments)
    return np.asarray(imagecodecs.jpeg8_decode(_joined(segments)))


def _magnified(segments: list[Segment]) -> NDArray[Any]:
    """A picture of 12 bits, in which the least of every coefficient makes one of its levels:
    nothing is cut off at black or white, at the edges or in other colours, or rounded away.
    """
    alone = [segment.marker for segment in segments].count(SOS) == 1
    shown = []
    for segment in segments:
        body = segment.body
        if segment.marker in FRAMES:
            colors = COLORS.get(body[5])
        if segment.marker in FRAMES - LOSSLESS:
            units = _unit(segment) if alone else (1, 1)
            sizes = zip(struct.unpack(">HH", body[1:5]), units, strict=True)
            size = struct.pack(">HH", *(-(-length // unit) * unit for length, unit in sizes))
            body = b"\x0c" + size + body[5:]
        elif segment.marker == DQT:
            slots = [table[0] & 15 for _, table in _tables(DQT, body)]
            body = b"".join(bytes([slot]) + b"\x08" * 64 for slot in slots)
        shown.append(segment._replace(body=body))
    content = _joined(shown)
    return np.asarray(imagecodecs.jpeg8_decode(content, colorspace=colors, outcolorspace=colors))


def _tail(scan: bytes, same: Callable[[bytes], bool]) -> int:
    """How many bytes at the end of a scan can be left out: whatever stands there, the pixels are
    the same.
    """

    def is_idle(count: int) -> bool:
        start = len(scan) - count
        start += scan[start - 1 : start] == b"\xff"  # whose stuffed 0 stays
        return all(same(scan[:start] + filling * (len(scan) - start)) for filling in FILLINGS)

    if len(scan) <= LEAST_TAIL or not is_idle(LEAST_TAIL):
        return 0
    idle, needed = LEAST_TAIL, len(scan)
    while needed - idle > 1:
        middle = (idle + needed) // 2
        idle, needed = (middle, needed) if is_idle(middle) else (idle, middle)
    tail = idle - LEFT
    if not same(scan[: len(scan) - tail]):
        raise DecodeError("broken JPEG: it needs what follows its picture")
    return tail
