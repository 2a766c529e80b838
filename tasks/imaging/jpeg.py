"""Large JPEGs at a half, a quarter or an eighth of their size, which libjpeg decodes faster."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from tasks.imaging.levels import Numbers, Pixels

# By factor: for one channel and for three.
REDUCED = {
    8: (cv2.IMREAD_REDUCED_GRAYSCALE_8, cv2.IMREAD_REDUCED_COLOR_8),
    4: (cv2.IMREAD_REDUCED_GRAYSCALE_4, cv2.IMREAD_REDUCED_COLOR_4),
    2: (cv2.IMREAD_REDUCED_GRAYSCALE_2, cv2.IMREAD_REDUCED_COLOR_2),
}
MOST_PIXELS = 2**30  # OpenCV's own limit, which it would only hold the reduced picture to
MOST_HELD = 100_000_000  # pixels in the memory, those of the reduced picture or of all scans
MARGIN = 2  # how many times the wanted size a reduced picture has at least, on both axes
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC are no frame headers
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
APP1, SOS = 0xE1, 0xDA
BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a segment
MARKER = re.compile(rb"\xff+[^\x00\xff]")
ORIENTATION = 0x0112  # the EXIF tag


class Header(NamedTuple):
    """Of a JPEG file: size in pixels as stored, channels, the EXIF orientation, 1 to 8, and whether
    it has several scans, so that libjpeg holds all of it, two bytes per sample, at any scale.
    """

    height: int
    width: int
    channels: int
    orientation: int
    buffered: bool


class Reduced(NamedTuple):
    """A picture decoded at `1 / factor`.

    Where the height or the width is no multiple of the factor, `pixels` reach past the picture by
    a part of a pixel at the right and below. They are not turned yet.
    """

    pixels: Pixels
    header: Header
    factor: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the original as it is shown."""
        height, width = self.header[:2]
        return (width, height) if self.header.orientation > 4 else (height, width)

    def fitted(self, pixels: Pixels, size: Sequence[int]) -> Pixels:
        """`pixels`, of the size of the own ones, resized to `size` (height, width) and upright.

        Required: both axes shrink, as they do after `decode_reduced` for this size.
        """
        height, width = size[::-1] if self.header.orientation > 4 else size
        down, across = height / self.header.height, width / self.header.width
        # By factors and not by a size, OpenCV leaves out what lies past the picture.
        small = cv2.resize(
            pixels,
            None,
            fx=across * self.factor,
            fy=down * self.factor,
            interpolation=cv2.INTER_AREA,
        )
        return np.ascontiguousarray(turned(small, self.header.orientation))


def decode_reduced(content: bytes, size: Sequence[int]) -> Reduced | None:
    """A JPEG, grey or RGB, at the smallest scale that is twice `size` (height, width) or more.

    After `fitted` it is not quite what a full decode gives. Chest X-rays with noise, at 224 px:
    0.5 of 255 apart on average, 3 or less in 999 of 1000 pixels, 12 at most. Edges of white letters
    on black differ by up to 50. Where sizes are whole multiples, nothing differs by more than 3.

    Returns:
        None: it is not so large, not 8 bits of grey or RGB, or damaged; decode it whole.
    """
    header = read_header(content)
    if header is None or header.channels not in (1, 3):
        return None
    pixels = header.height * header.width
    if pixels > (MOST_HELD if header.buffered else MOST_PIXELS):
        return None
    room = min(header.height, header.width) // (MARGIN * max(size))
    factor = next((factor for factor in REDUCED if factor <= room), None)
    if factor is None or pixels > MOST_HELD * factor**2:
        return None
    # What reaches past the picture must go before it is turned, so OpenCV must not turn it.
    flags = REDUCED[factor][header.channels == 3] | cv2.IMREAD_IGNORE_ORIENTATION
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    expected = -(-header.height // factor), -(-header.width // factor)
    if picture is None or picture.shape[:2] != expected:
        return None
    if header.channels == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return Reduced(picture, header, factor)


def read_header(content: bytes) -> Header | None:
    """What the segments before the first scan say; None where they hold no frame of 8 bits."""
    bits, header = read_any_header(content)
    return header if bits == 8 else None


def read_any_header(content: bytes) -> tuple[int, Header | None]:
    """Bits of a sample and the header, of lossless and 12-bit JPEGs too; 0 and None without."""
    bits, header, orientation = 0, None, None
    for marker, segment in _segments(content):
        if marker in FRAMES and header is None and len(segment) >= 8:
            bits, height, width, channels = struct.unpack_from(">BHHB", segment, 2)
            header = Header(height, width, channels, 1, marker in PROGRESSIVE)
        elif marker == APP1 and segment[2:8] == b"Exif\0\0" and orientation is None:
            orientation = read_orientation(segment[8:])
        elif marker == SOS and header and len(segment) > 2 and segment[2] < header.channels:
            header = header._replace(buffered=True)
    if header and orientation:
        header = header._replace(orientation=orientation)
    return bits, header


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and segment with its length, up to the first scan. As libjpeg does, what stands
    before a marker is passed over, so that no size hides from the limits behind it.
    """
    at, marker = 2, 0
    while marker != SOS and (found := MARKER.search(content, at)):
        marker, at = content[found.end() - 1], found.end()
        if marker not in BARE:
            length = int.from_bytes(content[at : at + 2], "big")
            yield marker, content[at : at + length]
            at += max(length, 2)


def read_orientation(exif: bytes) -> int | None:
    """The orientation in the first directory of an EXIF block, None where there is none.

    Of several blocks OpenCV heeds the first that has one, and 1 (upright) counts.
    """
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == ORIENTATION:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:  # a directory cut off holds no orientation
        pass
    return None


def turned(pixels: Numbers, orientation: int) -> Numbers:
    """Upright, by EXIF 2.32, 4.6.4 A; the orientation is 1 to 8."""
    return flipped(pixels.swapaxes(0, 1) if orientation > 4 else pixels, orientation)


def flipped(pixels: Numbers, orientation: int) -> Numbers:
    """Only turned as far as no axis becomes the other; done twice, what it was."""
    down = -1 if orientation in (3, 4, 7, 8) else 1
    across = -1 if orientation in (2, 3, 6, 7) else 1
    return pixels[::down, ::across]
