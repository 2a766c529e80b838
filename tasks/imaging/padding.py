"""Where a DICOM picture is padding, which fills it beside the body and says nothing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from tasks.imaging import rescaling
from tasks.imaging.levels import Numbers

Mask = NDArray[np.bool_]

LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K}
RETIRED = {UID(f"1.2.840.10008.1.2.4.{number}") for number in (53, 55)}  # lossy too
NEAR = 1 / 64  # of the range of a picture: how far lossy coding moves what was one value
AREA = 5  # pixels per side
REACH = 8  # pixels from an edge that lossy coding spreads it over: a block of JPEG


def found(dataset: Dataset, stored: Numbers) -> Mask:
    """Where `stored` is padding: one value or a range (DICOM PS3.3 C.7.5.1.1.2)."""
    values = rescaling.numbers(dataset, "PixelPaddingValue")[:1]
    if not values:
        return np.zeros(stored.shape, bool)
    values += rescaling.numbers(dataset, "PixelPaddingRangeLimit")[:1]
    ends = [_as_stored(dataset, int(value)) for value in values]
    low, high = min(ends), max(ends)
    if is_lossy(dataset):
        return _blurred(stored, low, high)
    return np.asarray((stored >= low) & (stored <= high))


def _as_stored(dataset: Dataset, value: int) -> int:
    """`value` in the sign and bits of stored values; its element often has the other sign."""
    low, high = rescaling.stored_range(dataset)
    return value if low <= value <= high else (value - low) % (high - low + 1) + low


def is_lossy(dataset: Dataset) -> bool:
    """Whether the pixels are not quite those that were taken, now or from an earlier coding."""
    said, syntax = dataset.get("LossyImageCompression"), dataset.file_meta.TransferSyntaxUID
    return said == "01" or (said is None and syntax in LOSSY | RETIRED)


def _blurred(stored: Numbers, low: int, high: int) -> Mask:
    """Areas that have the values of padding on average, and what is so near that its coding mixed
    them.
    """
    values = stored.astype(np.float32)
    near, means = NEAR * float(np.ptp(values)), cv2.blur(values, (AREA, AREA))
    alike = ((means >= low - near) & (means <= high + near)).astype(np.uint8)
    around = cv2.dilate(alike, np.ones((2 * REACH + 1,) * 2, np.uint8))
    return np.asarray(around, bool)
