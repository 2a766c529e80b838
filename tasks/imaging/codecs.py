"""Compressed DICOM frames that pydicom and Pillow do not decode, by imagecodecs.

JPEG lossless, JPEG-LS and every 12-bit JPEG, retired ones included. imagecodecs is BSD-licensed, as
are its decoders used here (libjpeg-turbo, CharLS, OpenJPEG), so they fit an Apache-2.0 project.
"""

from __future__ import annotations

import imagecodecs
import numpy as np
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import convert_color_space
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes

from tasks.common.errors import DecodeError
from tasks.imaging.elements import frame_count
from tasks.imaging.jpeg import read_any_header
from tasks.imaging.levels import Numbers

SIZE, DEPTH = b"\xff\x4f\xff\x51", 42  # of JPEG 2000: first markers, and the first sample's bits


def decode_frame(dataset: Dataset, index: int, frames: int) -> Numbers:
    """One frame as stored, `(H, W)` or `(H, W, 3)` RGB, with its sign.

    Raises:
        DecodeError: the size is not the one in the header.
    """
    frame = get_frame(dataset.PixelData, index, number_of_frames=frames)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in JPEGLSTransferSyntaxes:
        stored = _to_rgb(dataset, imagecodecs.jpegls_decode(_whole(frame)))
    elif syntax in JPEG2000TransferSyntaxes:
        stored = imagecodecs.jpeg2k_decode(frame)
    else:
        stored = _decode_jpeg(dataset, frame)
    require_size(dataset, *stored.shape[:2])
    return _with_sign(dataset, stored)


def sample_bits(dataset: Dataset, index: int) -> int:
    """Bits of a sample: those of the coded frame where it has fewer than the header says."""
    stored, syntax = int(dataset.BitsStored), dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return stored
    frame = get_frame(dataset.PixelData, index, number_of_frames=frame_count(dataset))
    if syntax in JPEG2000TransferSyntaxes:
        size = frame.find(SIZE)  # the codestream may stand in a JP2 file
        coded = (frame[size + DEPTH] & 0x7F) + 1 if size >= 0 else 0
    else:
        coded, _ = read_any_header(frame)
    return min(stored, coded or stored)


def require_size(dataset: Dataset, height: int, width: int) -> None:
    """Refuse a coded frame of another size than the header says.

    Raises:
        DecodeError: it is.
    """
    if (height, width) != (dataset.Rows, dataset.Columns):
        raise DecodeError("the pixel data are not of the size that the header says")


def _whole(frame: bytes) -> bytes:
    """CharLS may search for seconds for the end of a frame that has none."""
    if b"\xff\xd9" not in frame:
        raise DecodeError("the pixel data are cut off")
    return frame


def _decode_jpeg(dataset: Dataset, frame: bytes) -> Numbers:
    _, header = read_any_header(frame)
    if header:  # before room is made for it
        require_size(dataset, header.height, header.width)
    if dataset.SamplesPerPixel == 1:
        return np.asarray(imagecodecs.jpeg8_decode(frame))
    coded = "YCBCR" if dataset.PhotometricInterpretation.startswith("YBR") else "RGB"
    return np.asarray(imagecodecs.jpeg8_decode(frame, colorspace=coded, outcolorspace="RGB"))


def _to_rgb(dataset: Dataset, stored: Numbers) -> Numbers:
    if dataset.SamplesPerPixel == 1 or dataset.PhotometricInterpretation == "RGB":
        return stored
    return np.asarray(convert_color_space(stored, dataset.PhotometricInterpretation, "RGB"))


def _with_sign(dataset: Dataset, stored: Numbers) -> Numbers:
    """Codecs without negative numbers carry two's complement of `BitsStored` bits."""
    if not dataset.PixelRepresentation or stored.dtype.kind != "u":
        return stored
    spare = 8 * stored.itemsize - int(dataset.BitsStored)
    return (stored << spare).view(stored.dtype.str.replace("u", "i")) >> spare
