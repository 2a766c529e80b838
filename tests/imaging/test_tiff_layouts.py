"""Every layout of numbers in a TIFF is decoded as tifffile reads it."""

from __future__ import annotations

import itertools
import struct

import imagecodecs
import numpy as np
import pytest
from worlds.tiff_pictures import (
    COMPRESSIONS,
    GREY,
    TAGS,
    as_read,
    check,
    numbers,
    written,
)
from worlds.tiffs import build

TYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
FILES = list(itertools.product("<>", (False, True)))  # byte order, BigTIFF
# Samples of a pixel, and how they are written.
KINDS = {
    "black is zero": (1, {"photometric": "minisblack"}),
    "white is zero": (1, {"photometric": "miniswhite"}),
    "grey and more": (3, {"photometric": "minisblack", "planarconfig": "contig"}),
    "white, planar": (2, {"photometric": "miniswhite", "planarconfig": "separate"}),
    "rgb": (3, {"photometric": "rgb"}),
    "rgb, planar": (3, {"photometric": "rgb", "planarconfig": "separate"}),
    "alpha": (4, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "alpha in it": (4, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
    "alpha, planar": (
        4,
        {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["unassalpha"]},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", TYPES)
def test_layout(dtype, kind):
    samples, options = KINDS[kind]
    pixels = numbers(dtype, samples)
    if options.get("planarconfig") == "separate":
        pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    layouts = itertools.product(({"rowsperstrip": 5}, {"tile": (16, 32)}), COMPRESSIONS, (0, 1))
    for (layout, compression, predictor), file in zip(
        layouts, itertools.cycle(FILES), strict=False
    ):
        more = {**options, **layout, "compression": compression}
        if predictor and compression in ("lzw", "zlib", "zstd") and dtype not in ("u8", "i8"):
            more["predictor"] = True  # horizontal, or of floating-point numbers
        content = written(pixels, *file, **more)
        check(content, as_read(content))


@pytest.mark.parametrize("bits", [*range(1, 8), *range(9, 16), 17, 23, 25, 31])
def test_packed_bits(bits):
    """Fewer than 8 are brought to 8, more stay as they are."""
    dtype = np.uint8 if bits < 8 else np.uint16 if bits < 16 else np.uint32
    values = (GREY.astype(np.uint64) * 0x9E3779B1 % 2**bits).astype(dtype)
    layers = np.stack([values, values[::-1], values[:, ::-1]])
    planar = {"photometric": "rgb", "planarconfig": "separate"}
    for order, layout in itertools.product("<>", ({"rowsperstrip": 5}, {"tile": (16, 32)})):
        for pixels, options in (
            (values, {"photometric": "minisblack"}),
            (values, {"photometric": "miniswhite"}),
            (np.moveaxis(layers, 0, -1).copy(), {"photometric": "rgb"}),
            (layers, planar),
        ):
            content = written(pixels, order, bitspersample=bits, **options, **layout)
            expected = as_read(content)
            if bits < 8:
                expected = np.round(expected * (255 / (2**bits - 1))).astype(np.uint8)
            check(content, expected)


@pytest.mark.parametrize("white", [False, True])
def test_packed_bits_with_a_sign(white):
    """Two's complement of 12 bits: -2048 is black, or white, and 2047 the other."""
    values = np.arange(-2048, 2048, 64).reshape(8, 8)
    packed = imagecodecs.packints_encode((values & 0xFFF).astype(np.uint16), 12)
    tags = {256: 8, 257: 8, 258: 12, 259: 1, 262: int(not white), 277: 1, 278: 8, 339: 2}
    expected = (-1 - values if white else values).astype(np.int16)
    check(build((tags, [packed])), expected)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", ["ccittrle", "ccittfax3", "ccittfax4", "packbits"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_fax(order, big, compression, photometric):
    content = imagecodecs.tiff_encode(
        GREY > 60, compression=compression, photometric=photometric, byteorder=order, bigtiff=big
    )
    white = (GREY > 60) == (photometric == "minisblack")
    check(content, white * np.uint8(255))


def test_bits_of_a_byte_from_the_other_end():
    turned = bytes(int(f"{number:08b}"[::-1], 2) for number in GREY.tobytes())
    check(build(({**TAGS, 266: 2}, [turned])), GREY)


@pytest.mark.parametrize("order", "<>")
def test_sizes_of_strips_that_are_missing_or_wrong(order):
    """Old writers left them out or wrote nothing good; without compression they follow."""
    for sizes in (0, 10**6):
        check(build(({**TAGS, 279: sizes}, [GREY.tobytes()]), order=order), GREY)
    whole = build((TAGS, [GREY.tobytes()]), order=order)
    tag = struct.pack(f"{order}H", 279)
    assert whole.count(tag) == 1
    check(whole.replace(tag, struct.pack(f"{order}H", 280)), GREY)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("predictor", [2, 3])
def test_predictors_of_floating_point_numbers(order, predictor):
    for dtype in ("f4", "f8"):
        values = numbers(dtype, 1)
        content = imagecodecs.tiff_encode(
            values, compression="deflate", predictor=predictor, byteorder=order
        )
        check(content, values)
