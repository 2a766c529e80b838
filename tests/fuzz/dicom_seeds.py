"""Small DICOM files whose headers decide much: tables, palettes, windows, padding, frames."""

from __future__ import annotations

from typing import Any

import cv2
import imagecodecs
import numpy as np
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from tests.worlds.dicom_files import make_dicom

SIDE = 24
DEEP = (np.mgrid[0:SIDE, 0:SIDE].sum(axis=0) * 80).astype(np.uint16)
FLAT = (DEEP // 16).astype(np.uint8)
IDS = {"SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3", "PatientID": "MRN 1"}
RESCALED = {"RescaleSlope": "2.5", "RescaleIntercept": "-200"}
WINDOW = {"WindowCenter": [400, 40], "WindowWidth": [900, 400]}
ENTRIES = [n * 16 % 4096 for n in range(256)]


def files() -> list[bytes]:
    """Whole files; the same ones at every call."""
    return [
        *(make_dicom(DEEP, BitsStored=12, **IDS, **header) for header in _greys()),
        *(make_dicom(FLAT, **IDS, **_palette(kind)) for kind in ("bytes", "words", "segments")),
        make_dicom(DEEP << 4, BitsStored=12, HighBit=15, **IDS, **WINDOW),
        make_dicom(FLAT >> 4, BitsStored=4, **IDS),
        make_dicom(DEEP, ImplicitVRLittleEndian, VOILUTSequence=_table(ENTRIES), **IDS),
        make_dicom(DEEP.byteswap(), ExplicitVRBigEndian, **IDS, **_bytes_in_words(">u2")),
        make_dicom(DEEP, JPEG2000, [_lossy(DEEP)], PixelPaddingValue=0, **IDS),
        make_dicom(np.dstack([FLAT] * 3), PhotometricInterpretation="YBR_FULL", **IDS),
        _enhanced(),
        *_clips(),
    ]


def _greys() -> list[dict[str, Any]]:
    return [
        {"VOILUTSequence": _table(ENTRIES)},
        _bytes_in_words("<u2"),
        {"ModalityLUTSequence": _table(ENTRIES), **WINDOW},
        {"PixelPaddingValue": 80, "PixelPaddingRangeLimit": 160, **RESCALED},
        {"VOILUTFunction": "SIGMOID", "PhotometricInterpretation": "MONOCHROME1", **WINDOW},
        {"VOILUTFunction": "LINEAR_EXACT", "RescaleType": "HU", **WINDOW, **RESCALED},
        {"WindowCenter": "0.5", "WindowWidth": "0.75"}
        | {"RescaleSlope": "0.0005", "RescaleIntercept": "0"},
    ]


def _table(entries: list[int] | bytes, first: int = 0, bits: int = 12) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [256, first, bits])
    item.add_new("LUTData", "OW" if isinstance(entries, bytes) else "US", entries)
    return Sequence([item])


def _bytes_in_words(order: str) -> dict[str, Any]:
    words = np.arange(256, dtype=np.uint8).view("<u2").astype(order)
    return {"VOILUTSequence": _table(words.tobytes(), 500, 8)}


def _palette(kind: str) -> dict[str, Any]:
    made: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for number, color in enumerate(("Red", "Green", "Blue"), 1):
        shades = (np.arange(256) * number % 256).astype(np.uint8)
        table = f"{color}PaletteColorLookupTable"
        made[f"{table}Descriptor"] = [256, 0, 8 if kind == "bytes" else 16]
        if kind == "segments":
            points = np.array([0, 1, 0, 1, 255, number * 20_000], "<u2")
            made[f"Segmented{table}Data"] = points.tobytes()
        else:
            made[f"{table}Data"] = (
                shades.tobytes() if kind == "bytes" else (shades * np.uint16(257)).tobytes()
            )
    return made


def _lossy(stored: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(stored, codecformat="j2k", level=60))


def _enhanced() -> bytes:
    """Two frames, each with a window of its own."""
    shared, groups = Dataset(), []
    shared.PixelValueTransformationSequence = Sequence([_item(**RESCALED, RescaleType="HU")])
    for center in (300, 900):
        group = Dataset()
        group.FrameVOILUTSequence = Sequence([_item(WindowCenter=center, WindowWidth=900)])
        groups.append(group)
    return make_dicom(
        np.stack([DEEP, DEEP[::-1]]),
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(groups),
        **IDS,
    )


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return item


def _clips() -> list[bytes]:
    """Of a kind at risk, so that every frame is looked at: in grey, and in colours by JPEG."""
    frames = [np.roll(FLAT, 3 * number, axis=1) for number in range(5)]
    colored = [cv2.imencode(".jpg", np.dstack([frame] * 3))[1].tobytes() for frame in frames]
    coded = make_dicom(
        np.dstack([FLAT] * 3),
        JPEGBaseline8Bit,
        colored,
        NumberOfFrames=len(frames),
        PhotometricInterpretation="YBR_FULL_422",
        Modality="US",
        **IDS,
    )
    return [make_dicom(np.stack(frames), Modality="US", **IDS), coded]
