"""DICOM to 8-bit pixels as a viewer shows them: rescale, then window, MONOCHROME1 turned last.

The photometric interpretation alone says whether to turn: in an image, PresentationLUTShape only
repeats it (PS3.3, DX Image module: INVERSE goes with MONOCHROME1), and heeding both turns twice.
Where they contradict each other it is the shape that writers got wrong, though DCMTK follows it.
Overlays are not drawn: neither those in the unused high bits nor those beside the pixels.
"""

from __future__ import annotations

import warnings

import numpy as np
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    RLELossless,
)

from tasks.common.errors import DecodeError
from tasks.imaging import elements, limits, lookup_tables, rescaling, windows
from tasks.imaging.codecs import decode_frame, sample_bits
from tasks.imaging.decoding import choose_frame
from tasks.imaging.jp2 import require_codestream
from tasks.imaging.levels import Numbers, Pixels, stretch
from tasks.imaging.windows import Window

UNREAD = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL_422", "YBR_PARTIAL_420")  # no way here to RGB
FRAME_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


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
            dataset = elements.read(content)
            elements.require_picture(dataset)
            return shown(dataset, window, choose_frame(elements.frame_count(dataset), frame))
    except DecodeError:
        raise
    except Exception as error:  # a damaged file fails in any way, and messages quote values
        raise DecodeError(f"broken DICOM ({type(error).__name__})") from None


def shown(whole: Dataset, window: Window | None, index: int) -> Pixels:
    """One frame of a file as `decode` gives it.

    Args:
        whole: what `elements.read` gives; it is left as it is.
        window: as of `decode`.
        index: of the frame.

    Raises:
        DecodeError: as `decode`; but a damaged file fails in any way.
    """
    dataset = _copied(whole)
    pixels = int(dataset.Rows) * int(dataset.Columns)
    bits = int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated)
    limits.require_size(pixels, pixels * bits // 8)
    _name_coding(dataset)
    _adopt_frame_groups(dataset, index)
    windows.require_fit(dataset, window)
    stored = stored_frame(dataset, index, elements.frame_count(dataset))
    photometric = dataset.PhotometricInterpretation
    if stored.ndim == 3:
        if photometric in UNREAD:
            raise DecodeError(f"colours of the kind {photometric}; required: RGB or YBR_FULL")
        bits = min(sample_bits(dataset, index), 8 * stored.itemsize)
        return stretch(stored, 0, 2**bits - 1)
    if photometric == "PALETTE COLOR":
        inputs = rescaling.stored_range(dataset)
        return lookup_tables.colored(dataset, stored, inputs, rescaling.is_little(dataset))
    grey = windows.displayed(dataset, stored, window)
    return 255 - grey if photometric == "MONOCHROME1" else grey


def _copied(whole: Dataset) -> Dataset:
    """The header of one frame, which its groups change, over the same pixel data."""
    dataset = Dataset({tag: whole.get_item(tag) for tag in list(whole.keys())})
    dataset.file_meta = whole.file_meta
    dataset.set_original_encoding(*whole.original_encoding, whole.original_character_set)
    return dataset


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
    """One frame as stored; colours come out as RGB.

    Values lie below `HighBit`, and those that do not reach as far as it says lie at the bottom.
    """
    syntax, bits = dataset.file_meta.TransferSyntaxUID, int(dataset.BitsStored)
    spare = elements.high_bit(dataset) + 1 - bits
    if not spare or (syntax.is_encapsulated and syntax != RLELossless):  # those say their own depth
        return _frame(dataset, index, frames)
    dataset.add_new("BitsStored", "US", bits + spare)
    words = _frame(dataset, index, frames)
    dataset.add_new("BitsStored", "US", bits)
    low, high = rescaling.stored_range(dataset)
    at_the_bottom = words.min() >= low and words.max() <= high and (words & (1 << spare) - 1).any()
    return words if at_the_bottom else words >> spare


def _frame(dataset: Dataset, index: int, frames: int) -> Numbers:
    if dataset.file_meta.TransferSyntaxUID in JPEG2000TransferSyntaxes:
        require_codestream(get_frame(dataset.PixelData, index, number_of_frames=frames))
    try:
        return np.asarray(pixel_array(dataset, index=index))
    except (RuntimeError, NotImplementedError, ValueError):
        # pydicom has no decoder for this coding, or the header says more bits than the frame has.
        if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            raise DecodeError("the pixel data do not fit the size and bits in the header") from None
        return decode_frame(dataset, index, frames)


def _adopt_frame_groups(dataset: Dataset, index: int) -> None:
    """Lift rescale and window of an enhanced multi-frame file to where a plain one has them."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for group in [*shared[:1], *per_frame[index : index + 1]]:
        elements.settle(group)
        for name in FRAME_GROUPS:
            for item in group.get(name) or []:
                dataset.update(item)
