"""Stored values of a DICOM file to 8 bits: rescale, then lookup table or window.

Which window: the one of `preprocess.window`, by its numbers or by the name of a preset; where that
is null, what the header has. A preset in Hounsfield units is right for CT only, and the header of
another image would silently give it another look, so such a file is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels import apply_modality_lut

from tasks.common.errors import DecodeError
from tasks.imaging.levels import Numbers, Pixels, shares, spread, stretch

Window = Sequence[float] | str

# Centre and width in Hounsfield units, after the typical values in Radiopaedia's article "Windowing
# (CT)"; where it gives a range (soft tissue, subdural), values within.
HOUNSFIELD = {
    "abdomen": (50.0, 400.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "liver": (30.0, 150.0),
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
    "soft_tissue": (40.0, 400.0),
    "spine": (50.0, 250.0),
    "stroke": (40.0, 40.0),
    "subdural": (75.0, 215.0),
    "temporal_bone": (600.0, 2800.0),
}
# Mammograms have no common unit: their header's VOI LUT or window (often a sigmoid) is part of the
# picture. Without one, the percentiles are those of the breast, not of the air around it.
MAMMOGRAPHY = "mammography"


def require_fit(dataset: Dataset, window: Window | None) -> None:
    """Check that a preset suits the image; numbers and null suit any.

    Raises:
        DecodeError: a preset in Hounsfield units for anything but grey CT with a rescale, or
            `mammography` for anything but a mammogram.
    """
    if not isinstance(window, str):
        return
    modality = dataset.get("Modality")
    if window == MAMMOGRAPHY and modality != "MG":
        raise DecodeError(f"preprocess.window {MAMMOGRAPHY} is for mammograms, this is none")
    # Maps of perfusion or electron density are CT too, and say so in the type where they have one.
    rescaled = "RescaleIntercept" in dataset and dataset.get("RescaleType") in (None, "", "HU")
    grey = dataset.get("SamplesPerPixel") == 1
    if window in HOUNSFIELD and not (modality == "CT" and grey and rescaled):
        raise DecodeError(
            f"preprocess.window {window} is in Hounsfield units, this is no CT with a rescale to "
            "them; null takes the header's window"
        )


def displayed(dataset: Dataset, stored: Numbers, window: Window | None) -> Pixels:
    """`stored` grey values as 8 bits, before any inversion of MONOCHROME1.

    Args:
        dataset: the header, functional groups of the frame included.
        stored: `(H, W)` as stored.
        window: centre and width after rescale, a preset's name, or None: the first VOI LUT or
            window of the header, and where it has none, 8-bit values as they are and others spread
            by percentiles without padding.
    """
    levels, places = _levels(stored)
    values = apply_modality_lut(levels, dataset)
    chosen = HOUNSFIELD.get(window) if isinstance(window, str) else window
    if chosen is not None:
        return _windowed(values, chosen[0], chosen[1], "LINEAR")[places]
    if dataset.get("VOILUTSequence"):
        return _looked_up(values, dataset.VOILUTSequence[0])[places]
    center, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    if center is not None and width is not None and width > 0:
        return _windowed(values, center, width, dataset.get("VOILUTFunction") or "LINEAR")[places]
    inside = ~_padding(dataset, stored)
    if window == MAMMOGRAPHY:
        light = dataset.PhotometricInterpretation == "MONOCHROME1"
        inside &= (values != (values.max() if light else values.min()))[places]
    elif stored.dtype == np.uint8 and np.array_equal(values, levels):  # slope 1 gives floats
        return np.asarray(stored, np.uint8)
    shown = values[places]
    return spread(shown, of=shown[inside] if inside.any() else None)


def _levels(stored: Numbers) -> tuple[Numbers, NDArray[np.intp]]:
    """The values of a picture in one row, and the place in it of each pixel's.

    Most pictures have far fewer values than pixels: what is computed of values takes a tenth of the
    time that it would take of pixels.
    """
    low, high = int(stored.min()), int(stored.max())
    if high - low >= stored.size:
        return stored.ravel(), np.arange(stored.size).reshape(stored.shape)
    return np.arange(low, high + 1).astype(stored.dtype), stored.astype(np.intp) - low


def _padding(dataset: Dataset, stored: Numbers) -> Numbers:
    """Where `stored` is padding: one value or a range (DICOM PS3.3 C.7.5.1.1.2)."""
    value = _first(dataset, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = _first(dataset, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high))


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
