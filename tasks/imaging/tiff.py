"""TIFF to pixels, read by libtiff as imagecodecs brings it.

OpenCV has libtiff too, but accepts layouts that it then does not fill, so that another picture's
pixels show, and leaves deep WhiteIsZero as it is stored. Here the memory is filled beforehand, the
numbers come out as stored, and `_shown` decides what they mean. Only JPEG, CMYK, YCbCr and CIELab
are turned into colours by libtiff itself, which passes over damage inside of their coded data.
"""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np

from tasks.common.errors import DecodeError
from tasks.imaging import limits
from tasks.imaging.jpeg import flipped, turned
from tasks.imaging.levels import Numbers, Pixels, shares
from tasks.imaging.tiff_pages import Page

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIPS, STRIP_SIZES, STRIP_HEIGHT, ORIENTATION, SAMPLES, PLANAR = 273, 279, 278, 274, 277, 284
COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES = 320, 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, DEPTH = 338, 339, 32997
JPEG = 7
# Beside JPEG: none, fax, LZW, deflate by two numbers, PackBits and zstd. The rest are rare, picture
# formats of their own, or, as LZMA, take gigabytes where a file says so.
COMPRESSIONS = {1, 2, 3, 4, 5, JPEG, 8, 32771, 32773, 32946, 50000}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
CIELAB = 8
CONVERTED = {5: "CMYK", 6: "YCbCr", CIELAB: "CIELab"}
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
SEPARATE = 2  # a plane for each sample
STRAIGHT = 2  # alpha that the colours were not multiplied by


def read(page: Page) -> Numbers:
    """The picture of a page, upright, `(H, W)` grey or `(H, W, 3)` RGB, the lowest value black: in
    8 bits, or as stored where there are more of them or a sign.

    Alpha is dropped; 8-bit colours that were not multiplied by it are laid over black.

    Raises:
        DecodeError: it is too large or of a kind that is not read.
        Exception: it is damaged; any of libtiff's wrapper.
    """
    _require_kind(page)
    orientation = page.first(ORIENTATION, 1)
    orientation = orientation if 1 <= orientation <= 8 else 1
    if page.first(COMPRESSION, 1) == JPEG or page.first(PHOTOMETRIC, -1) in CONVERTED:
        picture = flipped(_converted(page), orientation)  # back: libtiff has flipped it
    else:
        picture = _shown(_stored(page), page)
    return np.ascontiguousarray(turned(picture, orientation))


def _require_kind(page: Page) -> None:
    compression, photometric = page.first(COMPRESSION, 1), page.first(PHOTOMETRIC, -1)
    if compression not in COMPRESSIONS:
        raise DecodeError(
            f"TIFF of compression {compression}; required: none, LZW, deflate, PackBits, JPEG, "
            "fax or zstd"
        )
    if photometric not in {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, *CONVERTED}:
        raise DecodeError(
            f"TIFF of photometric interpretation {photometric}; required: grey, RGB, palette, "
            f"{', '.join(CONVERTED.values())}"
        )
    if page.first(DEPTH, 1) != 1:
        raise DecodeError("TIFF of a volume; required: a picture of one layer")


def _size(page: Page, sample: int) -> tuple[int, int]:
    """Height and width. A picture is held to the limits, and so is a tile, where it has any.

    Args:
        page: the page.
        sample: bytes of a pixel.
    """
    for height, width in ((HEIGHT, WIDTH), (TILE_HEIGHT, TILE_WIDTH)):
        pixels = page.first(height, 0) * page.first(width, 0)
        limits.require_size(pixels, pixels * sample)
    return page.first(HEIGHT, 0), page.first(WIDTH, 0)


def _converted(page: Page) -> Pixels:
    """`(H, W)` or `(H, W, 3)` in 8 bits, any kind of colours as libtiff turns them into RGB: over
    black, and flipped by its orientation.
    """
    photometric, bits = page.first(PHOTOMETRIC, -1), page.first(BITS, 1)
    if bits != 8 and (photometric, bits) != (CIELAB, 16):
        raise DecodeError(
            f"TIFF in {CONVERTED.get(photometric, 'JPEG')} of {bits} bits; required: 8"
        )
    colors = np.zeros((*_size(page, 4), 4), np.uint8)
    _require_parts(page)
    imagecodecs.tiff_decode(page.content, page.number, asrgb=True, out=colors)
    grey = photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO)
    return colors[..., 0] if grey else colors[..., :3]


def _require_parts(page: Page) -> None:
    """Check that the file has every strip or tile: libtiff leaves out what it lacks.

    Raises:
        DecodeError: it lacks one.
    """
    height, width = page.first(HEIGHT, 0), page.first(WIDTH, 0)
    tiles = bool(page.values(TILES))
    down = page.first(TILE_HEIGHT if tiles else STRIP_HEIGHT, height)
    across = page.first(TILE_WIDTH, 0) if tiles else width
    planes = page.first(SAMPLES, 1) if page.first(PLANAR, 1) == SEPARATE else 1
    parts = planes * -(-height // max(down, 1)) * -(-width // max(across, 1))
    starts = page.values(TILES if tiles else STRIPS)[:parts]
    sizes = page.values(TILE_SIZES if tiles else STRIP_SIZES)[:parts]
    if parts == 1 and not any(sizes):  # libtiff takes what is left of the file
        return
    ends = [start + size for start, size in zip(starts, sizes, strict=False)]
    if len(ends) < parts or 0 in sizes or max(ends) > len(page.content):
        raise DecodeError("damaged TIFF: a part of the picture is not in the file")


def _stored(page: Page) -> Numbers:
    """`(H, W, samples)` as stored, with their sign."""
    bits, samples = page.first(BITS, 1), page.first(SAMPLES, 1)
    dtype = _dtype(page.first(SAMPLE_FORMAT, UNSIGNED), bits)
    height, width = _size(page, samples * dtype.itemsize)
    planes = page.first(PLANAR, 1) == SEPARATE
    shape = (samples, height, width) if planes else (height, width, samples)
    stored: Numbers = np.zeros(shape, dtype)
    imagecodecs.tiff_decode(page.content, page.number, out=stored)
    if dtype.kind == "i":
        spare = 8 * dtype.itemsize - bits
        stored = (stored << spare) >> spare
    return np.moveaxis(stored, 0, -1) if planes else stored


def _dtype(form: int, bits: int) -> np.dtype[Any]:
    """The type that libtiff's wrapper gives numbers of a sample format and so many bits.

    Raises:
        DecodeError: it gives none.
    """
    size = next((size for size in (1, 2, 4, 8) if 0 < bits <= 8 * size), 0)
    # Writers do not agree on the order of 24 bits.
    whole = form in (UNSIGNED, SIGNED) and size and bits != 24 and (size < 8 or bits == 64)
    if whole or (form == FLOAT and bits in (16, 32, 64)):
        return np.dtype(f"{' uif'[form]}{size}")
    raise DecodeError(
        f"TIFF of {bits}-bit samples of format {form}; required: whole numbers of 1 to 23, 25 "
        "to 32 or 64 bits, or floating-point numbers of 16, 32 or 64"
    )


def _shown(stored: Numbers, page: Page) -> Numbers:
    """`(H, W)` or `(H, W, 3)`: what the samples of a pixel mean."""
    photometric, bits = page.first(PHOTOMETRIC, -1), page.first(BITS, 1)
    if photometric == PALETTE:
        return _looked_up(stored[..., 0], page.values(COLOR_MAP), bits)
    # Samples beyond grey are alpha, or nobody says what.
    picture = _without_alpha(stored, page) if photometric == RGB else stored[..., 0]
    if photometric == WHITE_IS_ZERO:
        picture = _negative(picture, bits)
    if bits < 8 and picture.dtype.kind == "u":
        return shares(np.arange(2**bits) / (2**bits - 1))[picture]
    return picture.astype(np.float32) if picture.dtype == np.float16 else picture


def _looked_up(places: Numbers, colors: list[int], bits: int) -> Pixels:
    """`(H, W, 3)` out of a palette of 16 bits, or of 8 where none of its numbers has more."""
    if places.dtype.kind != "u" or len(colors) < 3 * 2**bits:
        raise DecodeError("damaged TIFF: its palette lacks colours")
    palette = np.reshape(colors[: 3 * 2**bits], (3, -1)).T
    in_8_bits = palette if palette.max() < 256 else palette >> 8
    return np.asarray(in_8_bits.astype(np.uint8)[places])


def _without_alpha(stored: Numbers, page: Page) -> Numbers:
    if stored.shape[-1] < 3:
        raise DecodeError(f"damaged TIFF: RGB of {stored.shape[-1]} samples")
    colors = stored[..., :3]
    straight = stored.shape[-1] > 3 and page.first(EXTRA_SAMPLES, 0) == STRAIGHT
    if not straight or stored.dtype != np.uint8 or page.first(BITS, 1) != 8:
        return colors
    over_black = colors * stored[..., 3:4].astype(np.uint16)
    return ((over_black + 127) // 255).astype(np.uint8)


def _negative(values: Numbers, bits: int) -> Numbers:
    if values.dtype.kind == "u":
        return np.asarray(values ^ values.dtype.type(2**bits - 1))
    return np.asarray(~values if values.dtype.kind == "i" else -values)
