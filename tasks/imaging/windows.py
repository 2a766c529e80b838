"""Stored values of a DICOM file to 8 bits: rescale, then lookup table or window.

Which window: the one of `preprocess.window`, by its numbers or by the name of a preset; where that
is null, what the header has. A preset in Hounsfield units is right for CT only, and the header of
another image would silently give it another look, so such a file is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from tasks.common.errors import DecodeError
from tasks.imaging import lookup_tables, padding, rescaling
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
    rescaled = rescaling.is_rescaled(dataset) and dataset.get("RescaleType", "HU") == "HU"
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
            window of the header, and where it has none, values of 8 bits or fewer as they are and
            others spread by percentiles without padding.

    Raises:
        DecodeError: a lookup table or the rescale cannot be right.
    """
    levels, places = _levels(stored)
    values = rescaling.applied(dataset, levels)
    chosen = HOUNSFIELD.get(window) if isinstance(window, str) else window
    if chosen is not None:
        return _windowed(values, Windowing(chosen[0], chosen[1], "LINEAR"))[places]
    if item := lookup_tables.usable(dataset, "VOILUTSequence"):
        inputs = rescaling.possible(dataset)
        table = lookup_tables.read(item, inputs, rescaling.is_little(dataset))
        return lookup_tables.shades([table])[0][table.places(values)][places]
    if found := _of_header(dataset):
        return _windowed(values, found)[places]
    inside = ~padding.found(dataset, stored)
    if window == MAMMOGRAPHY:
        light = dataset.PhotometricInterpretation == "MONOCHROME1"
        inside &= (values != (values.max() if light else values.min()))[places]
    elif stored.dtype == np.uint8 and np.array_equal(values, levels):  # slope 1 gives floats
        return stretch(stored, 0, 2 ** min(8, int(dataset.BitsStored)) - 1)
    shown = values[places]
    return spread(shown, reference=shown[inside] if inside.any() else None)


def _levels(stored: Numbers) -> tuple[Numbers, NDArray[np.intp]]:
    """The values of a picture in one row, and the place in it of each pixel's.

    Most pictures have far fewer values than pixels: what is computed of values takes a tenth of the
    time that it would take of pixels.
    """
    low, high = int(stored.min()), int(stored.max())
    if high - low >= stored.size:
        return stored.ravel(), np.arange(stored.size).reshape(stored.shape)
    return np.arange(low, high + 1).astype(stored.dtype), stored.astype(np.intp) - low


class Windowing(NamedTuple):
    """Centre and width in values after rescale, and the function between."""

    center: float
    width: float
    function: str


def _of_header(dataset: Dataset) -> Windowing | None:
    """The first window that shows something.

    A width below 1 is none for LINEAR, whose -1/2 and -1 are for whole numbers: finer values, such
    as those of PET with a small slope, take it as LINEAR_EXACT has it.
    """
    step, function = rescaling.step(dataset), dataset.get("VOILUTFunction", "LINEAR")
    names = ("WindowCenter", "WindowWidth")
    for center, width in zip(*(rescaling.numbers(dataset, name) for name in names), strict=False):
        if not (math.isfinite(center) and math.isfinite(width) and width > 0):
            continue
        if function != "LINEAR" or width > 1 or (width == 1 and step >= 1):
            return Windowing(center, width, function)
        if width > step:
            return Windowing(center, width, "LINEAR_EXACT")
    return None


def _windowed(values: Numbers, window: Windowing) -> Pixels:
    """The VOI LUT functions of DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    center, width, function = window
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            return shares(1 / (1 + np.exp(-4 * (values - center) / width)))
    if function == "LINEAR_EXACT":
        return stretch(values, center - width / 2, center + width / 2)
    half = max(width - 1, 0) / 2
    return stretch(values, center - 0.5 - half, center - 0.5 + half)
