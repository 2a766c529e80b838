"""PNG, JPEG and BMP, by OpenCV, and TIFF to 8-bit pixels.

Alpha is dropped, except that 8-bit colours of a TIFF are laid over black. CMYK becomes RGB without
a colour profile. A file that ends early is refused. Damage inside the coded data of a JPEG is not
seen: libjpeg goes on with wrong blocks and only warns, and no reader here hands the warning on; nor
does TIFF carry a checksum. PNG does. Of an animated PNG the still picture is taken.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import cv2
import numpy as np
from cv2.utils import logging

from tasks.common.errors import DecodeError
from tasks.imaging import limits, tiff
from tasks.imaging.formats import sniff
from tasks.imaging.levels import Numbers, Pixels, spread
from tasks.imaging.refusal import refusing
from tasks.imaging.tiff_pages import pages_of

# Keeps grey as one channel and the depth of the file, resolves palettes, turns as EXIF says and
# drops the alpha channel. IMREAD_UNCHANGED would neither turn nor drop.
AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
ANIMATION = (b"acTL", b"fcTL", b"fdAT")  # PNG chunks


def decode(content: bytes, frame: int | None = None) -> Pixels:
    """Pixels `(H, W)` grey or `(H, W, 3)` RGB. More than 8 bits are spread by percentiles.

    Args:
        content: the file's bytes.
        frame: page of a TIFF, the middle one by default.

    Raises:
        DecodeError: it cannot be read, or is larger than `limits` allows.
        MemoryError: there is not enough for it here.
    """
    pixels = decode_deep(content, frame)
    return pixels if pixels.dtype == np.uint8 else spread(pixels)


def decode_deep(content: bytes, frame: int | None = None) -> Numbers:
    """`decode` without bringing the numbers of the file to 8 bits: of any type, black the lowest.

    Raises:
        DecodeError: it cannot be read, or is larger than `limits` allows.
        MemoryError: there is not enough for it here.
    """
    with refusing("picture"):
        if sniff(content) == "tiff":
            pages = pages_of(content)
            return tiff.read(pages[choose_frame(len(pages), frame)])
        choose_frame(1, frame)
        return _by_opencv(content)


def _by_opencv(content: bytes) -> Numbers:
    limits.require_picture(content)
    _silence()
    still = _still_png(content) if sniff(content) == "png" else content
    pixels = cv2.imdecode(np.frombuffer(still, np.uint8), AS_STORED)
    if pixels is None:
        raise DecodeError("the picture is damaged or of an unknown coding")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if pixels.ndim == 3 else pixels)


def _still_png(content: bytes) -> bytes:
    """A whole PNG without its animation, which de-identification drops too.

    Raises:
        DecodeError: a chunk reaches past the end. OpenCV makes room for as many bytes as a chunk
            says it has, gigabytes where it is damaged.
    """
    parts, at, kind = [content[:8]], 8, b""
    while kind != b"IEND":
        start = at
        length, kind = struct.unpack(">I4s", content[at : at + 8].ljust(8, b"\0"))
        at += 12 + length
        if at > len(content):
            raise DecodeError("the picture is damaged: it ends early")
        if kind not in ANIMATION:
            parts.append(content[start:at])
    return b"".join(parts)


@lru_cache
def _silence() -> None:
    """OpenCV prints what it cannot read, beside the error raised here. Every call into it may hand
    the interpreter to another thread, so it is told once.
    """
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)


def choose_frame(frames: int, frame: int | None) -> int:
    """The frame asked for, by default the middle one.

    Raises:
        DecodeError: there is no such frame.
    """
    if frame is None:
        return frames // 2
    if not 0 <= frame < frames:
        raise DecodeError(f"frame {frame} of a file with {frames}")
    return frame
