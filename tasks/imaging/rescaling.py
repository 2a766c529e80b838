"""Stored values of a DICOM file to the values that windows are about: modality table or rescale."""

from __future__ import annotations

import math

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue

from tasks.common.errors import DecodeError
from tasks.imaging import lookup_tables
from tasks.imaging.levels import Numbers
from tasks.imaging.lookup_tables import Range

MODALITY = "ModalityLUTSequence"


def applied(dataset: Dataset, stored: Numbers) -> Numbers:
    """`stored` by the modality lookup table, else by slope and intercept where both are there.

    Raises:
        DecodeError: the table cannot be read, or slope or intercept cannot be right.
    """
    if item := lookup_tables.usable(dataset, MODALITY):
        return lookup_tables.read(item, stored_range(dataset), is_little(dataset)).of(stored)
    line = _line(dataset)
    return stored if line is None else stored.astype(np.float64) * line[0] + line[1]


def _line(dataset: Dataset) -> tuple[float, float] | None:
    """Slope and intercept."""
    if not is_rescaled(dataset):
        return None
    slope, intercept = numbers(dataset, "RescaleSlope")[0], numbers(dataset, "RescaleIntercept")[0]
    if not (math.isfinite(slope) and math.isfinite(intercept) and slope):
        raise DecodeError("a rescale whose slope is 0 or no number, or whose intercept is none")
    return slope, intercept


def is_rescaled(dataset: Dataset) -> bool:
    """Whether the header has a slope and an intercept: either alone says nothing."""
    return "RescaleSlope" in dataset and "RescaleIntercept" in dataset


def step(dataset: Dataset) -> float:
    """Between two values that follow each other."""
    line = None if lookup_tables.usable(dataset, MODALITY) else _line(dataset)
    return abs(line[0]) if line else 1.0


def possible(dataset: Dataset) -> Range:
    """The lowest and the highest value that may come out."""
    if lookup_tables.usable(dataset, MODALITY):
        return 0, lookup_tables.MOST_ENTRIES - 1
    slope, intercept = _line(dataset) or (1.0, 0.0)
    low, high = sorted(end * slope + intercept for end in stored_range(dataset))
    return low, high


def stored_range(dataset: Dataset) -> tuple[int, int]:
    """The lowest and the highest value that may be stored."""
    bits = int(dataset.BitsStored)
    if dataset.PixelRepresentation:
        return -(1 << bits - 1), (1 << bits - 1) - 1
    return 0, (1 << bits) - 1


def is_little(dataset: Dataset) -> bool:
    """Whether the file is little-endian."""
    return bool(dataset.original_encoding[1])


def numbers(dataset: Dataset, name: str) -> list[float]:
    """The values of an element, NaN for an empty one among others; none where it is absent."""
    value = dataset.get(name)
    values = value if isinstance(value, MultiValue) else [] if value is None else [value]
    return [math.nan if value in (None, "") else float(value) for value in values]
