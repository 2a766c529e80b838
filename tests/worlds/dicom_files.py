"""Tiny DICOM files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid


def make_dicom(
    stored: np.ndarray,
    syntax: UID = ExplicitVRLittleEndian,
    coded: list[bytes] | None = None,
    **attributes: Any,
) -> bytes:
    """DICOM bytes of stored values `(H, W)`, `(N, H, W)` in grey or `(H, W, 3)` in colour.

    Attributes can be set; `coded` are the compressed frames of `syntax`.
    """
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = generate_uid()
    colored = stored.shape[-1] == 3
    dataset.SamplesPerPixel = 3 if colored else 1
    dataset.PhotometricInterpretation = "RGB" if colored else "MONOCHROME2"
    if colored:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = stored.shape[:2] if colored else stored.shape[-2:]
    if stored.ndim == 3 and not colored:
        dataset.NumberOfFrames = len(stored)
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.itemsize
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in attributes.items():
        setattr(dataset, name, value)
    if "HighBit" not in attributes:
        dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelData = encapsulate(coded) if coded else stored.tobytes()
    dataset["PixelData"].VR = "OB" if stored.itemsize == 1 or coded else "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
