"""PNG, JPEG, TIFF and BMP without anything but their pixels and what changes how these look."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import imagecodecs
import numpy as np

from tasks.common.errors import DecodeError
from tasks.imaging import limits, png_cleaning
from tasks.imaging.decoding import decode_deep
from tasks.imaging.formats import Format, sniff
from tasks.imaging.jpeg import decode_reduced, read_any_header
from tasks.imaging.jpeg_cleaning import clean_jpeg
from tasks.imaging.levels import Numbers
from tasks.imaging.tiff_pages import pages_of


class CleanRaster(NamedTuple):
    """Bytes, their suffix, and the bits of a sample in the original."""

    content: bytes
    suffix: str
    bits: int


def clean_raster(content: bytes, kind: Format) -> CleanRaster:
    """A PNG, JPEG, TIFF or BMP file; what comes back can be decoded.

    Raises:
        DecodeError: it cannot be parsed or decoded.
    """
    if kind == "jpeg":
        return CleanRaster(_jpeg(content), ".jpg", 8)
    if kind == "png":
        clean = png_cleaning.clean_png(content) or rewrite(content)[0]
        return CleanRaster(clean, ".png", png_cleaning.bits(content))
    return CleanRaster(*rewrite(content))


def _jpeg(content: bytes) -> bytes:
    """A JPEG of 8 bits; one that is too large is decoded at a smaller scale, here and later."""
    bits, header = read_any_header(content)
    if bits != 8 or header is None:
        raise DecodeError(f"JPEG of {bits} bits; required: 8" if bits else "broken JPEG: no frame")
    large = header.height * header.width > limits.MOST_PIXELS
    clean = clean_jpeg(content, whole=not large)
    if large and decode_reduced(clean, (1, 1)) is None:
        limits.require_picture(content)
        raise DecodeError("the picture is damaged or of an unknown coding")
    return clean


def rewrite(content: bytes) -> tuple[bytes, str, int]:
    """The pixels as they are decoded, as PNG, or as TIFF where PNG has no such type.

    Returns:
        The bytes, their suffix, and the bits of a sample.

    Raises:
        DecodeError: it cannot be read, holds several pages, or would not survive unchanged.
    """
    if sniff(content) == "tiff" and (pages := len(pages_of(content))) > 1:
        raise DecodeError(f"{pages} pages; required: one image per file")
    pixels = decode_deep(content)
    in_png = pixels.dtype in (np.uint8, np.uint16)
    written = _png(pixels) if in_png else _tiff(pixels)
    again, bits = decode_deep(written), f"u{pixels.itemsize}"  # NaN is not equal to itself
    if again.dtype != pixels.dtype or not np.array_equal(again.view(bits), pixels.view(bits)):
        raise DecodeError(f"pixels of type {pixels.dtype} cannot be written without loss")
    return written, ".png" if in_png else ".tiff", 8 * pixels.itemsize


def _png(pixels: Numbers) -> bytes:
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return bytes(cv2.imencode(".png", stored)[1].tobytes())


def _tiff(pixels: Numbers) -> bytes:
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    return bytes(imagecodecs.tiff_encode(pixels, compression="deflate", photometric=kind))
