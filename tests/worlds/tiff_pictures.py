"""Pictures as TIFF, and what must be read of them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import tifffile

from tasks.imaging.decoding import decode, decode_deep
from tasks.imaging.deidentification import deidentify
from tasks.imaging.levels import spread
from tasks.privacy.pseudonyms import Pseudonyms
from worlds.tiffs import photometric

HEIGHT, WIDTH = 37, 43
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
GREY = ((ROWS * 5 + COLUMNS * COLUMNS) % 251).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
INKS = np.dstack([RGB, GREY // 3])
COMPRESSIONS = [None, "lzw", "zlib", "packbits", "zstd"]
# Those of GREY as one strip that is not compressed.
TAGS = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 1, 277: 1, 278: HEIGHT}


def numbers(kind: str, samples: int) -> np.ndarray:
    """`(H, W)` or `(H, W, samples)` that use most of a type's range."""
    dtype = np.dtype(kind)
    picture = np.dstack([np.roll(GREY, 3 * n, n % 2) for n in range(samples)]).squeeze()
    if dtype.kind == "f":
        return (picture / 7 - 11).astype(dtype)
    step = np.iinfo(dtype).max // (250 if dtype.kind == "u" else 127)
    lowest = 0 if dtype.kind == "u" else 123 * step
    return (picture.astype(object) * step - lowest).astype(dtype)


def written(pixels: np.ndarray, order: str = "<", big: bool = False, **options) -> bytes:
    """A TIFF of one page, by tifffile."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, byteorder=order, bigtiff=big) as writer:
        writer.write(pixels, metadata=None, **photometric(pixels) | options)
    return buffer.getvalue()


def as_read(content: bytes) -> np.ndarray:
    """What tifffile reads, with the samples last, as its numbers are meant."""
    page = tifffile.TiffFile(io.BytesIO(content)).pages[0]
    stored = page.asarray()
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        stored = np.moveaxis(stored, 0, -1)
    white = page.photometric == 0
    if page.photometric not in (2, 6):  # tifffile makes YCbCr within JPEG to RGB
        grey = stored[..., 0] if stored.ndim == 3 else stored
        return _negative(grey, page.bitspersample) if white else grey
    colors, alpha = stored[..., :3], stored[..., 3:]
    if stored.dtype == np.uint8 and page.extrasamples[:1] == (2,):
        return np.round(colors / 255.0 * alpha).astype(np.uint8)
    return colors


def _negative(grey: np.ndarray, bits: int) -> np.ndarray:
    if grey.dtype.kind == "f":
        return -grey
    most = 2**bits - 1 if grey.dtype.kind in "ub" else -1
    return (most - grey.astype(object)).astype(grey.dtype)


def decoded(content: bytes) -> np.ndarray:
    """In the depth of the file; the same once more, after a picture that is bright all over."""
    first = decode_deep(content)
    for size in ((HEIGHT, WIDTH, 3), (64, 64, 3)):
        bright = cv2.imencode(".png", np.full(size, 0xABCD, np.uint16))[1].tobytes()
        assert (decode_deep(bright) == 0xABCD).all()
    np.testing.assert_array_equal(decode_deep(content), first, strict=True)
    return first


def check(content: bytes, expected: np.ndarray) -> None:
    """That a file reads as expected `(H, W)` or `(H, W, 3)`, is shown so, and so de-identified."""
    if expected.dtype == np.float16:
        expected = expected.astype(np.float32)
    pixels = decoded(content)
    np.testing.assert_array_equal(pixels, expected, strict=True)
    shown = decode(content)
    assert shown.dtype == np.uint8
    assert np.array_equal(shown, pixels if pixels.dtype == np.uint8 else spread(pixels))
    clean = deidentify(content, Pseudonyms(b"a key"))
    assert np.array_equal(decode(clean.content), shown)
