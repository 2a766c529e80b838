"""DICOM to 8-bit pixels as a viewer shows them: rescale, then window, MONOCHROME1 turned last."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.multival import MultiValue
from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.errors import DecodeError
from tasks.imaging.codecs import decode_frame
from tasks.imaging.decode import choose_frame
from tasks.imaging.levels import Numbers, Pixels, shares, spread, stretch

FRAME_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


def decode(content: bytes, window: Sequence[float] | None, frame: int | None = None) -> Pixels:
    """Pixels `(H, W)` grey or `(H, W, 3)` RGB.

    Args:
        content: the file's bytes.
        window: centre and width after rescale; None: the first window or VOI LUT of the header, and
            where it has none, 8-bit pixels as they are and others spread by percentiles.
        frame: of a multi-frame file, the middle one by default.

    Raises:
        DecodeError: it is broken, without pixels, or coded in a way that nothing here reads.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote values
            return _decode(dcmread(io.BytesIO(content), force=True), window, frame)
    except DecodeError:
        raise
    except Exception as error:  # a damaged file fails in any way, and messages quote values
        raise DecodeError(f"broken DICOM ({type(error).__name__})") from None


def _decode(dataset: Dataset, window: Sequence[float] | None, frame: int | None) -> Pixels:
    if not dataset.get("PixelData"):
        raise DecodeError("DICOM without pixel data")
    _name_coding(dataset)
    frames = int(dataset.get("NumberOfFrames") or 1)
    index = choose_frame(frames, frame)
    stored = _stored(dataset, index, frames)
    if stored.ndim == 3:
        return _in_8_bits(stored, int(dataset.BitsStored))
    photometric = dataset.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        colors = apply_color_lut(stored, dataset)
        return _in_8_bits(colors, 8 * colors.itemsize)
    _adopt_frame_groups(dataset, index)
    grey = _displayed(dataset, stored, window)
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


def _stored(dataset: Dataset, index: int, frames: int) -> Numbers:
    """One frame as stored; colours come out as RGB."""
    try:
        return np.asarray(pixel_array(dataset, index=index))
    except (RuntimeError, NotImplementedError):  # pydicom has no decoder for this coding
        if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            raise
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


def _displayed(dataset: Dataset, stored: Numbers, window: Sequence[float] | None) -> Pixels:
    values = apply_modality_lut(stored, dataset)
    if window is not None:
        center, width = window
        return _windowed(values, center, width, "LINEAR")
    if dataset.get("VOILUTSequence"):
        return _looked_up(values, dataset.VOILUTSequence[0])
    middle, extent = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    if middle is not None and extent is not None and extent > 0:
        return _windowed(values, middle, extent, dataset.get("VOILUTFunction") or "LINEAR")
    if stored.dtype == np.uint8 and np.array_equal(values, stored):  # slope 1 gives floats
        return np.asarray(stored, np.uint8)
    inside = stored != _first(dataset, "PixelPaddingValue")
    return spread(values, of=values[inside] if inside.any() else None)


def _first(dataset: Dataset, name: str) -> float | None:
    element = dataset.get(name)
    values = element if isinstance(element, MultiValue) else [element]
    return None if values[0] in (None, "") else float(values[0])


def _windowed(values: Numbers, center: float, width: float, function: str) -> Pixels:
    """The VOI LUT functions of DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        return shares(1 / (1 + np.exp(-4 * (values - center) / width)))
    if function == "LINEAR_EXACT":
        return stretch(values, center - width / 2, center + width / 2)
    half = max(width - 1, 0) / 2
    return stretch(values, center - 0.5 - half, center - 0.5 + half)


def _looked_up(values: Numbers, item: Dataset) -> Pixels:
    """The VOI LUT of DICOM PS3.3 C.11.2.1.1.

    pydicom's `apply_voi` wraps around where a table with 8-bit entries has more than 256 of them.
    """
    _, first, bits = (int(number) for number in item.LUTDescriptor)
    data = item.LUTData
    table = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
    indices = np.clip(np.rint(values) - first, 0, len(table) - 1).astype(np.int64)
    return stretch(table[indices], 0, 2**bits - 1)
