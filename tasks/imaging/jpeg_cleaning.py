"""JPEG and JPEG-LS with what their picture is decoded from, byte for byte, and nothing else.

Comments, thumbnails, profiles and what follows the end are gone; so are tables that no scan uses,
scans that nothing is decoded from, a number of lines that the frame has said already, and bytes
behind the last block of a scan.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from tasks.common.errors import DecodeError
from tasks.imaging.jpeg import FRAMES, ORIENTATION, PROGRESSIVE, read_orientation
from tasks.imaging.jpeg_segments import (
    APP0,
    APP1,
    APP8,
    APP14,
    ARITHMETIC,
    DAC,
    DHT,
    DQT,
    DRI,
    LOSSLESS,
    LS_FRAME,
    LSE,
    NEXT_LS_MARKER,
    RESTART,
    SOS,
    Key,
    Segment,
    joined,
    split,
    tables,
)
from tasks.imaging.jpeg_tails import without_tails

LS_PRESETS = 1  # the kind of LSE that changes how the picture is decoded
JFIF = b"JFIF\0\1\1\0\0\1\0\1\0\0"  # version 1.1, no density, no thumbnail
ADOBE = b"Adobe\0\x64\0\0\0\0"  # version 100, no flags; the colours follow

Progress = dict[tuple[int, int], int]  # component and coefficient -> lowest bit that is known


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
    found = list(split(content))
    exif = (read_orientation(body[6:]) for marker, body, _ in found if _is_exif(marker, body))
    orientation = next((value for value in exif if value is not None), 1)
    kept = _needed(found)
    if whole:
        kept = without_tails(kept)
    if orientation != 1:
        kept.insert(0, Segment(APP1, b"Exif\0\0" + minimal_exif(orientation)))
    return joined(kept)


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
    for marker, body, scan in split(content, NEXT_LS_MARKER):
        if marker == APP8 and body.startswith(b"mrfx"):
            kept.append(Segment(APP8, body[:5]))
        elif marker in (LS_FRAME, DRI, SOS) or (marker == LSE and body[:1] == bytes([LS_PRESETS])):
            kept.append(Segment(marker, body[:11] if marker == LSE else body, scan))
    return joined(kept)


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
    return list(tables(marker, body)) if marker in (DQT, DHT, DAC) else []


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
