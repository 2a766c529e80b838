"""How large a picture may be. A file of some kilobytes can claim one that fills the memory, so what
the headers say is held to these limits before anything is decoded.
"""

from __future__ import annotations

import io
import struct
import zlib

from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tasks.common.errors import DecodeError
from tasks.imaging.formats import has_preamble, sniff
from tasks.imaging.jpeg import read_header

# Of one picture, decoded, as its file stores it. What is made of it on the way takes up to 3 GB.
MOST_PIXELS, MOST_BYTES = 100_000_000, 400_000_000
MOST_INFLATED = 2**29  # bytes of a DICOM file that is deflated as a whole
PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 3, 6: 4}  # of a pixel as OpenCV has it, by colour type


def require_size(pixels: int, size: int) -> None:
    """Refuse more than `MOST_PIXELS` pixels or a `size` of more than `MOST_BYTES` bytes.

    Raises:
        DecodeError: it is more.
    """
    if pixels > MOST_PIXELS:
        raise DecodeError(f"a picture of {pixels:,} pixels; required: at most {MOST_PIXELS:,}")
    if size > MOST_BYTES:
        raise DecodeError(f"a picture of {size:,} bytes; required: at most {MOST_BYTES:,}")


def require_picture(content: bytes) -> None:
    """Check what the header of a PNG, JPEG or BMP says; one that says nothing passes.

    Raises:
        DecodeError: it is too large.
    """
    kind, pixels, sample = sniff(content), 0, 0
    if kind == "jpeg" and (header := read_header(content)):
        pixels, sample = header.height * header.width, header.channels
    elif kind == "png" and len(content) >= 26:
        width, height, bits, colors = struct.unpack_from(">IIBB", content, 16)
        pixels, sample = width * height, PNG_SAMPLES.get(colors, 4) * (1 + (bits > 8))
    elif kind == "bmp" and len(content) >= 26 and content[14] > 12:  # the shorter is never coded
        width, height = struct.unpack_from("<ii", content, 18)
        pixels, sample = abs(width * height), 4
    require_size(pixels, pixels * sample)


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
