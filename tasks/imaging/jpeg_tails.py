"""The bytes behind the last block of a JPEG's scans, which nothing is decoded from."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DecodeError
from tasks.imaging.jpeg import FRAMES
from tasks.imaging.jpeg_segments import (
    DQT,
    DRI,
    LOSSLESS,
    RESTART,
    SEQUENTIAL,
    SOS,
    Segment,
    joined,
    tables,
)

FILLINGS = (b"\x55", b"\xaa", b"\x00")  # of a scan's end: were it needed, one would change it
COLORS = {3: "RGB", 4: "CMYK"}  # by the number of components: as they are stored
LEAST_TAIL, LEFT = 2, 1  # bytes behind a scan that are looked for, and that stay to be sure

Show = Callable[[bool], NDArray[Any]]  # of a picture: its pixels, or those of `_magnified`


def without_tails(segments: list[Segment]) -> list[Segment]:
    """Each scan without the bytes that nothing is decoded from, also between restarts.

    Raises:
        DecodeError: the picture needs what follows it.
        Exception: it cannot be decoded; any of libjpeg's wrapper.
    """
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
    return np.asarray(imagecodecs.jpeg8_decode(joined(segments)))


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
            slots = [table[0] & 15 for _, table in tables(DQT, body)]
            body = b"".join(bytes([slot]) + b"\x08" * 64 for slot in slots)
        shown.append(segment._replace(body=body))
    content = joined(shown)
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
