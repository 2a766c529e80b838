"""How large a picture may be. A file of some kilobytes can claim one that fills the memory, so what
the headers say is held to these limits before anything is decoded.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tasks.common.errors import DecodeError
from tasks.imaging.formats import has_preamble, sniff
from tasks.imaging.jpeg import read_header

MOST_PIXELS = 100_000_000  # decoded at once: up to 3 GB on the way, for all pages of a TIFF
MOST_INFLATED = 2**29  # bytes of a DICOM file that is deflated as a whole
WIDTH, HEIGHT = 256, 257  # TIFF tags
SHORT, LONG8 = 3, 16  # TIFF types; all others of the size are as long as LONG


def require_size(pixels: int) -> None:
    """Refuse more than `MOST_PIXELS`.

    Raises:
        DecodeError: it is more.
    """
    if pixels > MOST_PIXELS:
        raise DecodeError(f"a picture of {pixels:,} pixels; required: at most {MOST_PIXELS:,}")


def require_picture(content: bytes) -> None:
    """Check what the header of a PNG, JPEG, TIFF or BMP says; one that says nothing passes.

    Raises:
        DecodeError: it is too large.
    """
    kind, pixels = sniff(content), 0
    if kind == "tiff":
        pixels = sum(_tiff_pages(content))
    elif kind == "jpeg" and (header := read_header(content)):
        pixels = header.height * header.width
    elif kind == "png" and len(content) >= 24:
        width, height = struct.unpack_from(">II", content, 16)
        pixels = width * height
    elif kind == "bmp" and len(content) >= 26 and content[14] > 12:  # the shorter is never coded
        width, height = struct.unpack_from("<ii", content, 18)
        pixels = abs(width * height)
    require_size(pixels)


def _tiff_pages(content: bytes) -> Iterator[int]:
    """Pixels of each page, of TIFF 6.0 and of BigTIFF; up to where the file is damaged."""
    order, big = "<" if content[:2] == b"II" else ">", b"+" in content[2:4]
    word, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    seen, link = {0}, 8 if big else 4
    try:
        while (at := struct.unpack_from(order + word, content, link)[0]) not in seen:
            seen.add(at)
            (entries,) = struct.unpack_from(order + count, content, at)
            first = at + struct.calcsize(order + count)
            link = first + entries * entry
            struct.unpack_from(order + word, content, link)  # or it is damaged
            sizes = _tiff_sizes(content[first:link], order, entry)
            yield sizes.get(WIDTH, 0) * sizes.get(HEIGHT, 0)
    except struct.error:
        return


def _tiff_sizes(entries: bytes, order: str, entry: int) -> dict[int, int]:
    sizes = {}
    for at in range(0, len(entries), entry):
        tag, kind = struct.unpack_from(f"{order}HH", entries, at)
        if tag in (WIDTH, HEIGHT):
            form = order + {SHORT: "H", LONG8: "Q"}.get(kind, "I")
            # The value follows tag and type, two bytes each, and a count that is as long as itself.
            (sizes[tag],) = struct.unpack_from(form, entries, at + (entry + 4) // 2)
    return sizes


def read_dicom(content: bytes) -> Dataset:
    """A DICOM file of bounded size.

    Raises:
        DecodeError: inflated, it is too large.
    """
    file = io.BytesIO(content)
    file.seek(132 if has_preamble(content) else 0)
    meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflater.decompress(content[file.tell() :], MOST_INFLATED)
        if inflater.unconsumed_tail:
            raise DecodeError(f"deflated DICOM of more than {MOST_INFLATED:,} bytes")
    return dcmread(io.BytesIO(content), force=True)
