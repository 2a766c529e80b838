"""Damage to files, the same for the same number."""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Sequence

PNG = b"\x89PNG\r\n\x1a\n"
SIZES = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
ELEMENT = re.compile(rb"(US|SS|DS|IS|CS|LO)([\x02-\x20])\0")
NUMBERS = (b"US", b"SS")
WORDS = (b"\0\0", b"\1\0", b"\x08\0", b"\x0c\0", b"\x10\0", b"\xff\x7f", b"\0\x80", b"\xff\xff")
TEXTS = (
    b"",
    b"0",
    b"-1",
    b"1",
    b".3",
    b"nan",
    b"-inf",
    b"1e38",
    b"1e-9",
    b"9" * 16,
    b"1\\2",
    b"rgb",
)
MOST = 4  # kinds of damage on one file


def mutated(seeds: Sequence[bytes], number: int) -> bytes:
    """One of `seeds` with one to `MOST` kinds of damage."""
    chance = random.Random(number)
    content = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, MOST)):
        chance.choice(DAMAGES)(content, seeds, chance)
    if content.startswith(PNG) and chance.random() < 0.8:
        return _with_checksums(content)
    return bytes(content)


def _flip(content: bytearray, _: Sequence[bytes], chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        if content:
            content[_place(content, chance)] ^= 1 << chance.randrange(8)


def _overwrite(content: bytearray, _: Sequence[bytes], chance: random.Random) -> None:
    if content:
        content[_place(content, chance)] = chance.randrange(256)


def _cut(content: bytearray, _: Sequence[bytes], chance: random.Random) -> None:
    start = _place(content, chance)
    del content[start : start + chance.choice((1, 2, 16, 10**6))]


def _insert(content: bytearray, _: Sequence[bytes], chance: random.Random) -> None:
    start = _place(content, chance)
    content[start:start] = chance.choice(
        (
            chance.randbytes(chance.randint(1, 16)),
            b"\xff" * 8,
            bytes(64),
            content[start : start + 40],
        )
    )


def _splice(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    other = chance.choice(seeds)
    start = _place(content, chance)
    content[start:] = other[chance.randrange(len(other)) :]


def _resize(content: bytearray, _: Sequence[bytes], chance: random.Random) -> None:
    """A field that may say a length, a width or a number of frames."""
    form = chance.choice(("<H", ">H", "<I", ">I"))
    start, size = _place(content, chance), chance.choice(SIZES)
    if start + struct.calcsize(form) <= len(content):
        struct.pack_into(form, content, start, size & (2 ** (8 * struct.calcsize(form)) - 1))


def _swap(content: bytearray, _: Sequence[bytes], chance: random.Random) -> None:
    """Two bytes as an explicit value representation."""
    start = _place(content, chance)
    content[start : start + 2] = chance.choice((b"SQ", b"UN", b"OB", b"OW", b"US", b"IS", b"UT"))


def _revalue(content: bytearray, _: Sequence[bytes], chance: random.Random) -> None:
    """The value of a DICOM element of explicit type: an extreme number, or a text that is none."""
    found = list(ELEMENT.finditer(content))
    if not found:
        return
    element = chance.choice(found)
    start, length = element.end(), element[2][0]
    if element[1] in NUMBERS:
        value = b"".join(chance.choice(WORDS) for _ in range(length // 2))
    else:
        value = chance.choice(TEXTS)
    content[start : start + length] = value[:length].ljust(length)


def _place(content: bytearray, chance: random.Random) -> int:
    """Headers are where most goes wrong, so half of the damage is in the first 400 bytes."""
    most = max(len(content), 1)
    return chance.randrange(min(most, 400) if chance.random() < 0.5 else most)


DAMAGES = (_flip, _flip, _overwrite, _cut, _insert, _splice, _resize, _resize, _swap, _revalue)


def _with_checksums(png: bytearray) -> bytes:
    """The chunks with right checksums, or the damage would end at the first of them."""
    whole, at = bytearray(PNG), len(PNG)
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        body = png[at + 4 : at + 8 + min(length, len(png) - at - 12)]
        whole += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        at += 8 + len(body)
    return bytes(whole)
