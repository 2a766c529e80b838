"""TIFF files byte by byte, for layouts that no library writes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

Tags = Mapping[int, int | Sequence[int] | bytes]
STRIPS, TILES, TILE_WIDTH = (273, 279), (324, 325), 322  # offsets and byte counts
SHORT, LONG, UNDEFINED, LONG8 = 3, 4, 7, 16
FORMS = {SHORT: "H", LONG: "I", LONG8: "Q"}
LONGS = {254, 256, 257, 278, 322, 323, *STRIPS, *TILES}


def photometric(pixels: Any) -> dict[str, str]:
    """What tifffile is told of an array of three or four planes or samples, which it takes for
    colours with a warning.
    """
    colored = pixels.ndim == 3 and {pixels.shape[0], pixels.shape[-1]} & {3, 4}
    return {"photometric": "rgb"} if colored else {}


def build(*pages: tuple[Tags, Sequence[bytes]], order: str = "<", big: bool = False) -> bytes:
    """A TIFF of pages, each its tags and its strips or tiles. Where these lie is added, unless the
    tags say it."""
    word, count, inline = ("Q", "Q", 8) if big else ("I", "H", 4)
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    content += struct.pack(f"{order}HH", 8, 0) if big else b""
    for tags, segments in pages:
        start, body, entries = len(content) + inline, b"".join(segments), b""
        ends = [len(b"".join(segments[: number + 1])) for number in range(len(segments))]
        sizes = [len(segment) for segment in segments]
        places = [start + end - size for end, size in zip(ends, sizes, strict=True)]
        where = TILES if TILE_WIDTH in tags else STRIPS
        full = {where[0]: places, where[1]: sizes, **tags}
        for tag in sorted(full):
            kind, number, value = _value(tag, full[tag], order, big)
            if len(value) > inline:
                body += value
                value = struct.pack(order + word, start + len(body) - len(value))
            entries += struct.pack(f"{order}HH{word}", tag, kind, number) + value.ljust(
                inline, b"\0"
            )
        content += struct.pack(order + word, start + len(body)) + body
        content += struct.pack(order + count, len(full)) + entries
    return content + struct.pack(order + word, 0)


def _value(
    tag: int, value: int | Sequence[int] | bytes, order: str, big: bool
) -> tuple[int, int, bytes]:
    """Type, number and bytes of a tag's value."""
    if isinstance(value, bytes):
        return UNDEFINED, len(value), value
    numbers = [value] if isinstance(value, int) else list(value)
    kind = SHORT if tag not in LONGS else LONG8 if big else LONG
    return kind, len(numbers), struct.pack(f"{order}{len(numbers)}{FORMS[kind]}", *numbers)
