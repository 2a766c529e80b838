"""Files that were read right stay so, to the last pixel: digests of what `decode` gives.

All codings and headers that can be written here but lossy JPEG 2000, which reckons with fractions
that come out otherwise on other processors: `test_codecs` holds it by its error.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from hashlib import sha256

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from worlds.dicom_files import make_dicom

from tasks.imaging.dicom import decode

SPECTRAL_SELECTION, FULL_PROGRESSION = UID(f"{JPEGLossless[:-2]}53"), UID(f"{JPEGLossless[:-2]}55")
DEPTHS = (("u1", 8), ("i1", 8), ("u2", 10), ("u2", 12), ("i2", 12), ("u2", 16), ("i2", 16))
PLAIN = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
Named = Iterator[tuple[str, bytes]]  # name in HELD, and a file


def values(dtype: str, bits: int) -> np.ndarray:
    """Waves of different lengths over the whole range, `(24, 20)`; whole numbers alone."""
    rows, columns = np.mgrid[0:24, 0:20]
    waves = (rows * rows * 37 + columns * 211 + (rows * columns) % 17 * 53) % 1024
    low = -(2 ** (bits - 1)) if dtype[0] == "i" else 0
    return (low + waves * (2**bits - 1) // 1023).astype(dtype)


COLORS = np.dstack(
    [values("u1", 8), values("u1", 8).T[:20].repeat(2, 0)[:24, :20], values("u1", 8) // 3]
)


def unsigned(stored: np.ndarray, bits: int) -> np.ndarray:
    return stored.view(f"u{stored.itemsize}") & (2**bits - 1)


def progressive(stored: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "JPEG", quality=95, progressive=True)
    return buffer.getvalue()


def run_lengths(content: bytes) -> bytes:
    dataset, buffer = dcmread(io.BytesIO(content)), io.BytesIO()
    dataset.compress(RLELossless)
    dataset.save_as(buffer)
    return buffer.getvalue()


def plain_codings() -> Named:
    for dtype, bits in DEPTHS:
        stored = values(dtype, bits)
        for syntax in PLAIN:
            written = stored.byteswap() if syntax == ExplicitVRBigEndian else stored
            yield f"{dtype} {bits}", make_dicom(written, syntax, BitsStored=bits)


def in_jpeg(stored: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(unsigned(stored, bits), lossless=True)


def in_jpeg_ls(stored: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpegls_encode(unsigned(stored, bits))


def in_2000(stored: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(stored, codecformat="J2K", reversible=True)


LOSSLESS: tuple[tuple[UID, Callable[[np.ndarray, int], bytes]], ...] = (
    (JPEGLosslessSV1, in_jpeg),
    (JPEGLossless, in_jpeg),
    (JPEGLSLossless, in_jpeg_ls),
    (JPEG2000Lossless, in_2000),
)


def lossless_codings() -> Named:
    for dtype, bits in DEPTHS:
        stored, name = values(dtype, bits), f"{dtype} {bits}"
        for syntax, encode in LOSSLESS:
            yield name, make_dicom(stored, syntax, [encode(stored, bits)], BitsStored=bits)
        if bits in (8, 16):
            yield name, run_lengths(make_dicom(stored))
    flat = values("u1", 8)
    yield "u1 8", make_dicom(flat, HTJ2KLossless, [imagecodecs.htj2k_encode(flat)])


def lossy_codings() -> Named:
    flat, deep = values("u1", 8), values("u2", 12)
    coded = {
        "baseline": (JPEGBaseline8Bit, imagecodecs.jpeg8_encode(flat, level=95)),
        "selection": (SPECTRAL_SELECTION, progressive(flat)),
        "progression": (FULL_PROGRESSION, progressive(flat)),
        "near": (JPEGLSNearLossless, imagecodecs.jpegls_encode(flat, level=2)),
    }
    for name, (syntax, frame) in coded.items():
        yield name, make_dicom(flat, syntax, [frame])
    frame = imagecodecs.jpeg8_encode(deep, level=95, bitspersample=12)
    yield "extended", make_dicom(deep, JPEGExtended12Bit, [frame], BitsStored=12)


def jpeg(coded: str) -> bytes:
    return imagecodecs.jpeg8_encode(
        COLORS, level=95, colorspace="RGB", outcolorspace=coded, subsampling="444"
    )


def colors() -> Named:
    turned = imagecodecs.jpeg2k_encode(COLORS, codecformat="J2K", mct=True, reversible=True)
    palette: dict[str, object] = {}
    for n, color in enumerate(("Red", "Green", "Blue")):
        table = (np.arange(256) * (n + 1) * 77 % 65536).astype("<u2")
        palette[f"{color}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{color}PaletteColorLookupTableData"] = table.tobytes()
    for name, photometric, stored, *coded in (
        ("rgb", "RGB", COLORS),
        ("rgb", "RGB", COLORS.astype(np.uint16) * 257),
        ("rgb", "RGB", COLORS, JPEGLSLossless, imagecodecs.jpegls_encode(COLORS)),
        ("rgb", "YBR_RCT", COLORS, JPEG2000Lossless, turned),
        ("ybr", "YBR_FULL", COLORS),
        ("jpeg rgb", "RGB", COLORS, JPEGBaseline8Bit, jpeg("RGB")),
        ("jpeg ybr", "YBR_FULL", COLORS, JPEGBaseline8Bit, jpeg("YCBCR")),
        ("palette", "PALETTE COLOR", values("u1", 8)),
    ):
        how = {"syntax": coded[0], "coded": coded[1:]} if coded else {}
        tables = palette if name == "palette" else {}
        yield name, make_dicom(stored, PhotometricInterpretation=photometric, **how, **tables)
    yield "rgb", run_lengths(make_dicom(COLORS))


def table_of(entries: list[int], first: int, bits: int) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return Sequence([item])


def headers() -> Named:
    deep, signed = values("u2", 12), values("i2", 12)
    padded = signed.copy()
    padded[:6] = -2000
    window = {"WindowCenter": 300, "WindowWidth": 900}
    scaled = {"RescaleSlope": 2.5, "RescaleIntercept": -200}
    between = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990}
    curve = table_of([n * n // 16 for n in range(1024)], 1000, 16)
    for name, stored, header in (
        ("window", deep, window),
        ("exact", deep, window | {"VOILUTFunction": "LINEAR_EXACT"}),
        ("sigmoid", deep, window | {"VOILUTFunction": "SIGMOID"}),
        ("rescale", signed, window | scaled),
        ("two windows", deep, {"WindowCenter": [40, 900], "WindowWidth": [400, 100]}),
        ("turned", deep, window | {"PhotometricInterpretation": "MONOCHROME1"}),
        ("voi", deep, {"VOILUTSequence": curve, "BitsStored": 12}),
        ("modality", deep, window | {"ModalityLUTSequence": curve, "BitsStored": 12}),
        ("padding", padded, {"PixelPaddingValue": -2000}),
        ("range", padded, between),
        ("frames", np.stack([deep, deep // 2, deep // 3]), window),
    ):
        yield name, make_dicom(stored, **header)


HELD = {
    "u1 8": "7646fee6",
    "i1 8": "9dbe1c6f",
    "u2 10": "54c58fcd",
    "u2 12": "2fd7177d",
    "i2 12": "2fd7177d",
    "u2 16": "1aef1400",
    "i2 16": "1aef1400",
    "baseline": "7305a9cc",
    "extended": "2af556bd",
    "selection": "7305a9cc",
    "progression": "7305a9cc",
    "near": "9e1612a5",
    "rgb": "e9925f90",
    "ybr": "2a092275",
    "jpeg rgb": "52841083",
    "jpeg ybr": "a08a5ac9",
    "palette": "2e1eea3e",
    "window": "59d46940",
    "exact": "58ab45c7",
    "sigmoid": "85483731",
    "rescale": "bb6a0c0b",
    "two windows": "5a8fa77b",
    "turned": "8fdccb96",
    "voi": "c8e4fb3d",
    "modality": "da8afa8b",
    "padding": "7a38eccf",
    "range": "3bc65eb8",
    "frames": "bee5d3f7",
}


@pytest.mark.parametrize("made", [plain_codings, lossless_codings, lossy_codings, colors, headers])
def test_pixels_are_what_they_were(made):
    found = [
        (name, sha256(decode(content, None).tobytes()).hexdigest()) for name, content in made()
    ]
    assert [(name, digest[:8]) for name, digest in found] == [(n, HELD[n]) for n, _ in found]
