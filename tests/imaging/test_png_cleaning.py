"""What a PNG can hide beside its pixels goes, and they stay what they were."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from worlds.deidentification import PIXELS, SECRET, clean, encoded

from tasks.imaging.decoding import decode, decode_deep
from tasks.imaging.png_cleaning import HEADER, PNG, _chunk, _chunks

GREY = PIXELS[..., 0]
HIDDEN = SECRET * 3


def rows(pixels: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def made(kind: int, data: bytes, *before: tuple[bytes, bytes], **end: bytes) -> bytes:
    """A PNG of 32 x 24 pixels of a colour type, with chunks before its pixels and behind them."""
    chunks = [(b"IHDR", HEADER.pack(32, 24, 8, kind, 0, 0, 0)), *before, (b"IDAT", data)]
    chunks += [(name.encode(), body) for name, body in end.items()] + [(b"IEND", b"")]
    return PNG + b"".join(_chunk(*chunk) for chunk in chunks)


def packed(pixels: np.ndarray, bits: int) -> bytes:
    """Rows of fewer than 8 bits per sample."""
    places = np.unpackbits(pixels[..., None], axis=-1)[..., 8 - bits :].reshape(len(pixels), -1)
    return b"".join(b"\0" + row.tobytes() for row in np.packbits(places, axis=1))


PLAIN = zlib.compress(rows(GREY))
COLORS = bytes(range(48)) + HIDDEN + bytes(768 - 48 - len(HIDDEN))
SPLT = b"x\0\x08" + HIDDEN[:36]
CASES = {
    "a palette of grey": made(0, PLAIN, (b"PLTE", HIDDEN)),
    "a palette of colours": made(2, zlib.compress(rows(PIXELS.reshape(24, -1))), (b"PLTE", HIDDEN)),
    "unused colours": made(3, zlib.compress(rows(GREY % 16)), (b"PLTE", COLORS)),
    "unused transparency": made(
        3, zlib.compress(rows(GREY % 16)), (b"PLTE", bytes(48)), (b"tRNS", HIDDEN[:16])
    ),
    "transparent grey": made(0, PLAIN, (b"tRNS", b"Qu")),
    "primaries": made(0, PLAIN, (b"cHRM", SECRET.ljust(32))),
    "gamma": made(0, PLAIN, (b"gAMA", SECRET[:4])),
    "size of a pixel": made(0, PLAIN, (b"pHYs", SECRET[:9])),
    "intent": made(0, PLAIN, (b"sRGB", b"Q")),
    "profile": made(0, PLAIN, (b"iCCP", SECRET + b"\0\0" + zlib.compress(SECRET))),
    "time": made(0, PLAIN, (b"tIME", SECRET[:7])),
    "histogram and palettes": made(0, PLAIN, (b"hIST", HIDDEN), (b"sPLT", SPLT)),
    "a second run": made(0, PLAIN, tEXt=b"a\0b", IDAT=HIDDEN),
    "behind the stream": made(0, PLAIN + HIDDEN),
    "behind the rows": made(0, zlib.compress(rows(GREY) + HIDDEN, 0)),
    "behind the end": made(0, PLAIN) + HIDDEN,
    "alpha": made(6, zlib.compress(rows(np.dstack([PIXELS, GREY]).reshape(24, -1)))),
}


@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_the_pixels_stay_and_nothing_else(content):
    result = clean(content)
    np.testing.assert_array_equal(decode(result.content), decode(content), strict=True)
    assert SECRET[:4] not in result.content
    assert {kind for kind, _ in _chunks(result.content)} == {b"IHDR", b"IDAT"}
    (data,) = [body for kind, body in _chunks(result.content) if kind == b"IDAT"]
    inflater = zlib.decompressobj()
    held = inflater.decompress(data)
    height, width = decode(content).shape[:2]
    assert len(held) == height * (1 + width * (3 if decode(content).ndim == 3 else 1))
    assert (inflater.eof, inflater.unused_data) == (True, b"")
    assert clean(result.content).content == result.content


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_bits_behind_a_row_go(bits):
    """29 pixels leave some in the last byte."""
    pixels = GREY[:, :29] >> (8 - bits)
    data = bytearray(packed(pixels, bits))
    length = len(data) // 24
    data[length - 1 :: length] = [byte | 1 for byte in data[length - 1 :: length]]
    header = HEADER.pack(29, 24, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(data))), (b"IEND", b"")]
    content = PNG + b"".join(_chunk(*chunk) for chunk in chunks)
    result = clean(content)
    np.testing.assert_array_equal(decode(result.content), decode(content), strict=True)
    assert result.content[24] == 8
    assert result.attributes["bits"] == bits


@pytest.mark.parametrize("pixels", [GREY, PIXELS, GREY.astype(np.uint16) * 257])
def test_plain_pixels_stay_byte_for_byte(pixels):
    content = encoded(".png", pixels)
    assert clean(content).content == content


def test_coded_pixels_stay_byte_for_byte_in_one_chunk():
    half = len(PLAIN) // 2
    content = made(0, PLAIN[:half], IDAT=PLAIN[half:])
    assert clean(content).content == made(0, PLAIN)


def test_interlaced_pixels_stay():
    passes = b"".join(
        b"".join(b"\0" + row.tobytes() for row in GREY[top::down, left::across])
        for left, top, across, down in (
            *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
            (0, 1, 1, 2),
        )
    )
    chunks = [(b"IHDR", HEADER.pack(32, 24, 8, 0, 0, 0, 1)), (b"IDAT", zlib.compress(passes))]
    content = PNG + b"".join(_chunk(*chunk) for chunk in [*chunks, (b"IEND", b"")])
    np.testing.assert_array_equal(decode(content), GREY)
    np.testing.assert_array_equal(decode(clean(content).content), GREY)


def test_alpha_of_16_bits_goes():
    deep = np.dstack([PIXELS, GREY]).astype(np.uint16) * 257
    content = encoded(".png", deep)
    result = clean(content)
    np.testing.assert_array_equal(decode_deep(result.content), decode_deep(content), strict=True)
    assert cv2.imdecode(np.frombuffer(result.content, np.uint8), -1).shape[2] == 3
    assert struct.unpack_from(">B", result.content, 24) == (16,)
