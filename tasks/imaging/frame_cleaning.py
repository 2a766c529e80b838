"""Frames of DICOM pixel data without what does not belong to the picture; pixels unchanged.

Coded frames lose comments, application segments, boxes, and what follows their end; pixels without
compression are cut to the length of the picture.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import islice

import numpy as np
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, RLELossless

from tasks.common.errors import DecodeError
from tasks.imaging.codecs import require_size
from tasks.imaging.elements import OFFSETS, frame_count, high_bit
from tasks.imaging.jp2 import CODESTREAM, MAGIC, boxes
from tasks.imaging.jpeg import read_any_header
from tasks.imaging.jpeg_cleaning import clean_jpeg, clean_jpeg_ls
from tasks.imaging.jpeg_segments import JPEG

# Baseline, extended, lossless, and the retired processes: each frame is a JPEG file.
JPEG_SYNTAXES = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 57, 70)}

START = b"\xff\x4f\xff\x51"
SOT, SOD, EOC, COM = 0xFF90, 0xFF93, 0xFFD9, 0xFF64
# Marker segments of ISO/IEC 15444-1 (A.2), 15444-15 (CAP, CPF), and 15444-2 (A.2).
J2K_SEGMENTS = {
    *(0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF55, 0xFF57, 0xFF58, 0xFF59, 0xFF5C, 0xFF5D, 0xFF5E),
    *(0xFF5F, 0xFF60, 0xFF61, 0xFF63, COM, SOT),
    *range(0xFF70, 0xFF7A),
}


def clean_pixels(original: Dataset, syntax: UID) -> bytes:
    """The pixel data of `original`, coded in `syntax`, as they may be kept.

    Raises:
        DecodeError: they are not what the header says, or coded in a way that cannot be cleaned.
    """
    pixels = bytes(original.PixelData)
    if not syntax.is_encapsulated:
        return _cut(_without_overlays(original, pixels, syntax), get_expected_length(original))
    if _overlay_bits(original):
        raise DecodeError("an overlay lies in the bits beside compressed pixels, which may name")
    clean = _cleaner(syntax)
    return bytes(encapsulate([clean(frame, original) for frame in _frames(original, pixels)]))


def _cut(pixels: bytes, length: int) -> bytes:
    """What the picture has, and one byte more where it is odd: in swapped words it is a pixel."""
    if len(pixels) < length:
        raise DecodeError("broken DICOM: the pixel data are cut off")
    return pixels[: length + length % 2].ljust(length + length % 2, b"\0")


def _overlay_bits(original: Dataset) -> int:
    """The bits of a pixel that hold an overlay instead (PS3.3 C.9.2, retired), as a mask."""
    planes = range(0x6000, 0x6020, 2)
    positions = {
        int(original[group, 0x0102].value or 0)
        for group in planes
        if (group, 0x0102) in original and (group, 0x3000) not in original
    }
    return sum(1 << position for position in positions if 0 < position < 16)


def _without_overlays(original: Dataset, pixels: bytes, syntax: UID) -> bytes:
    overlays = _overlay_bits(original)
    if not overlays:
        return pixels
    bits, high = int(original.BitsStored), high_bit(original)
    picture = ((1 << bits) - 1) << (high + 1 - bits)
    if original.BitsAllocated != 16 or overlays & picture or original.PixelRepresentation:
        raise DecodeError("broken DICOM: an overlay lies in the bits of the pixels")
    words = np.frombuffer(pixels, "<u2" if syntax.is_little_endian else ">u2")
    return (words & (0xFFFF ^ overlays)).astype(words.dtype).tobytes()


def _frames(original: Dataset, pixels: bytes) -> list[bytes]:
    frames = frame_count(original)
    offsets = tuple(original[word].value for word in OFFSETS) if OFFSETS[0] in original else None
    coded = generate_frames(pixels, number_of_frames=frames, extended_offsets=offsets)
    found = list(islice(coded, frames))
    if len(found) < frames:
        raise DecodeError("broken DICOM: frames are missing")
    return found


def _cleaner(syntax: UID) -> Callable[[bytes, Dataset], bytes]:
    if syntax in JPEG_SYNTAXES:
        return _clean_jpeg_frame
    if syntax in JPEGLSTransferSyntaxes:
        return lambda frame, _: clean_jpeg_ls(_begins(frame, JPEG))
    if syntax in JPEG2000TransferSyntaxes:
        return lambda frame, _: clean_jpeg2000(frame)
    if syntax == RLELossless:
        return lambda frame, dataset: clean_rle(frame, int(dataset.Rows) * int(dataset.Columns))
    raise DecodeError(f"{syntax.name}: what hides in such frames cannot be removed here")


def _clean_jpeg_frame(frame: bytes, dataset: Dataset) -> bytes:
    _, header = read_any_header(_begins(frame, JPEG))
    if header:  # before room is made for it
        require_size(dataset, header.height, header.width)
    return clean_jpeg(frame)


def _begins(frame: bytes, magic: bytes) -> bytes:
    if not frame.startswith(magic):
        raise DecodeError("broken DICOM: a frame is not of the coding that the header says")
    return frame


def clean_jpeg2000(frame: bytes) -> bytes:
    """The codestream with its comments overwritten, so that no length or offset in it changes.

    Raises:
        DecodeError: its structure is broken, or its JP2 boxes change the colours.
    """
    return _clean_codestream(_begins(_unboxed(frame), START))


def _unboxed(frame: bytes) -> bytes:
    """The codestream of a JP2 file, whose boxes may name no colours but plain grey and RGB."""
    if not frame.startswith(MAGIC):
        return frame
    for kind, body in boxes(frame):
        if kind == CODESTREAM:
            return body
        if kind == b"jp2h" and any(
            inner in (b"pclr", b"cmap", b"cdef") or (inner == b"colr" and not _is_plain(what))
            for inner, what in boxes(body)
        ):
            break
    raise DecodeError("a JP2 file with colours of its own; required: a bare codestream")


def _is_plain(color: bytes) -> bool:
    """Whether a `colr` box says sRGB or grey by its number."""
    return color[:1] == b"\x01" and color[3:7] in (b"\0\0\0\x10", b"\0\0\0\x11")


def _clean_codestream(frame: bytes) -> bytes:
    clean, at, part = bytearray(frame), 2, (0, 0)
    try:
        while (marker := struct.unpack_from(">H", clean, at)[0]) != EOC:
            if marker == SOD:
                at = _end_of_part(frame, at, *part)
                continue
            (length,) = struct.unpack_from(">H", clean, at + 2)
            if marker not in J2K_SEGMENTS or length < 2 or at + 2 + length > len(frame):
                raise DecodeError("broken JPEG 2000: a marker segment is unknown or too long")
            if marker == SOT:
                part = at, struct.unpack_from(">I", clean, at + 6)[0]
            elif marker == COM:
                clean[at + 4 : at + 2 + length] = bytes(length - 2)
            at += 2 + length
    except struct.error:
        raise DecodeError("broken JPEG 2000: the picture is cut off") from None
    return bytes(clean[: at + 2])


def _end_of_part(frame: bytes, at: int, start: int, length: int) -> int:
    """Where a tile-part ends; a length of 0 says with the picture."""
    end = start + length if length else frame.find(EOC.to_bytes(2, "big"), at)
    if end <= at or end > len(frame):
        raise DecodeError("broken JPEG 2000: the picture is cut off")
    return end


def clean_rle(frame: bytes, pixels: int) -> bytes:
    """The segments (PS3.5 Annex G), each cut where it has given its `pixels` bytes.

    Raises:
        DecodeError: its structure is broken, or a segment gives less.
    """
    if len(frame) < 64:
        raise DecodeError("broken RLE: the header is cut off")
    count, *offsets = struct.unpack("<16I", frame[:64])
    if not 1 <= count <= 15:
        raise DecodeError("broken RLE: not 1 to 15 segments")
    segments = [_cut_segment(frame, offset, pixels) for offset in offsets[:count]]
    starts, at = [0] * 15, 64
    for number, segment in enumerate(segments):
        starts[number] = at
        at += len(segment)
    return struct.pack("<16I", count, *starts) + b"".join(segments)


def _cut_segment(frame: bytes, start: int, pixels: int) -> bytes:
    """The runs of a segment that give `pixels` bytes, of even length."""
    at, given = start, 0
    while given < pixels:
        if at < 64 or at + 1 >= len(frame):
            raise DecodeError("broken RLE: a segment is cut off")
        head = frame[at]
        given += 257 - head if head > 128 else head + 1 if head < 128 else 0
        at += 2 if head > 128 else head + 2 if head < 128 else 1
    if given > pixels or at > len(frame):
        raise DecodeError("broken RLE: a segment is not of the size of the picture")
    return frame[start:at] + bytes((at - start) % 2)
