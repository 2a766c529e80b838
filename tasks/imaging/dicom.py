"""DICOM to 8-bit pixels as a viewer shows them: rescale, then window, MONOCHROME1 turned last.

The photometric interpretation alone says whether to turn: in an image, PresentationLUTShape only
repeats it (PS3.3, DX Image module: INVERSE goes with MONOCHROME1), and heeding both turns twice.
Overlays are not drawn: neither those in the unused high bits nor those beside the pixels.
"""

from __future__ import annotations

import warnings

import numpy as np
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
)

from tasks.common.errors import DecodeError
from tasks.imaging import limits, windows
from tasks.imaging.codecs import decode_frame
from tasks.imaging.decoding import choose_frame
from tasks.imaging.jp2 import require_codestream
from tasks.imaging.levels import Numbers, Pixels, stretch
from tasks.imaging.windows import Window

FRAME_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
FLOATS = ("FloatPixelData", "DoubleFloatPixelData")


def decode(content: bytes, window: Window | None, frame: int | None = None) -> Pixels:
    """Pixels `(H, W)` grey or `(H, W, 3)` RGB.

    Args:
        content: the file's bytes.
        window: centre and width after rescale, the name of a preset, or None: that of the header;
            see `windows`. Colours have none.
        frame: of a multi-frame file, the middle one by default.

    Raises:
        DecodeError: it is broken, without pixels, coded in a way that nothing here reads, or the
            preset does not suit it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote values
            return _decode(limits.read_dicom(content), window, frame)
    except DecodeError:
        raise
    except Exception as error:  # a damaged file fails in any way, and messages quote values
        raise DecodeError(f"broken DICOM ({type(error).__name__})") from None


def _decode(dataset: Dataset, window: Window | None, frame: int | None) -> Pixels:
    if any(name in dataset for name in FLOATS):
        raise DecodeError("DICOM with floating-point pixels; required: integers")
    if not dataset.get("PixelData"):
        raise DecodeError("DICOM without pixel data")
    pixels = int(dataset.Rows) * int(dataset.Columns)
    bits = int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated)
    limits.require_size(pixels, pixels * bits // 8)
    _name_coding(dataset)
    frames = int(dataset.get("NumberOfFrames") or 1)
    index = choose_frame(frames, frame)
    _adopt_frame_groups(dataset, index)
    windows.require_fit(dataset, window)
    stored = stored_frame(dataset, index, frames)
    if stored.ndim == 3:
        return _in_8_bits(stored, int(dataset.BitsStored))
    photometric = dataset.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        colors = apply_color_lut(stored, dataset)
        return _in_8_bits(colors, 8 * colors.itemsize)
    grey = windows.displayed(dataset, stored, window)
    return 255 - grey if photometric == "MONOCHROME1" else grey


def _name_coding(dataset: Dataset) -> None:
    """Give a bare dataset the transfer syntax that it was read with.

    De-identification names one too, so what is trained on can also be served as it came.
    """
    if dataset.file_meta.get("TransferSyntaxUID"):
        return
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def stored_frame(dataset: Dataset, index: int, frames: int) -> Numbers:
    """One frame as stored; colours come out as RGB."""
    if dataset.file_meta.TransferSyntaxUID in JPEG2000TransferSyntaxes:
        require_codestream(get_frame(dataset.PixelData, index, number_of_frames=frames))
    try:
        return np.asarray(pixel_array(dataset, index=index))
    except (RuntimeError, NotImplementedError, ValueError):
        # pydicom has no decoder for this coding, or the header says more bits than the frame has.
        if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            raise DecodeError("the pixel data do not fit the size and bits in the header") from None
        return decode_frame(dataset, index, frames)


def _in_8_bits(colors: Numbers, bits: int) -> Pixels:
    return colors.astype(np.uint8) if bits == 8 else stretch(colors, 0, 2**bits - 1)


def _adopt_frame_groups(dataset: Dataset, index: int) -> None:
    """Lift rescale and window of an enhanced multi-frame file to where a plain one has them."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for group in [*shared[:1], *per_frame[index : index + 1]]:
        for name in FRAME_GROUPS:
            for item in group.get(name) or []:
                dataset.update(item)
