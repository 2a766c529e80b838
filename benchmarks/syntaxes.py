"""One CT slice in every transfer syntax, and odd files: decoded right, or refused for a reason.

`DATA` is the folder of test images of cornerstoneWADOImageLoader (MIT): `CTImage.dcm` without
compression, the same slice coded anew as `CTImage.dcm_*`, and other files. A coding of the slice is
right when its stored values are those of the uncompressed file, cut to its own bits by its own
rescale: identical where the syntax is lossless, else within `PSNR` of their used range. Another
file is right when a second way to its pixels, written here, agrees, or when it has no pixels and is
refused.
"""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_fragments
from pydicom.pixels import apply_modality_lut, pixel_array
from pydicom.uid import UID

from benchmarks.result import report
from tasks.common.errors import DecodeError
from tasks.imaging.dicom import decode, stored_frame

GOLDEN = "CTImage.dcm"
LOSSY = {UID(f"1.2.840.10008.1.2.4.{number}") for number in (50, 51, 53, 55, 81, 91)}
PSNR = 50.0  # dB; the worst of them, 12-bit JPEG, reaches 58
TOLERANCE = 3  # of 255: roundings between two conversions of colours

Values = NDArray[Any]


def main(folder: Path) -> None:
    """Judge every file of `folder`."""
    warnings.simplefilter("ignore")
    files = sorted(path for path in folder.iterdir() if path.name != "LICENSE")
    slice_in_units = apply_modality_lut(*_pixels(folder / GOLDEN))
    rights = []
    for path in files:
        right, verdict = _judge(path, slice_in_units)
        rights.append(right)
        coding = dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
        name = path.name.removeprefix(f"{GOLDEN}_").split("TransferSyntax")[0]
        print(f"{'right' if right else 'WRONG':6}{name[:44]:46}{coding:28}{verdict}")
    report("syntaxes", float(np.mean(rights)), 1.0)


def _judge(path: Path, slice_in_units: Values) -> tuple[bool, str]:
    try:
        shown = decode(path.read_bytes(), None)
    except DecodeError as error:
        return "PixelData" not in dcmread(path), f"refused: {error}"
    stored, dataset = _pixels(path)
    if path.name.startswith(GOLDEN):
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
        expected = np.floor((slice_in_units - intercept) / slope)
        return _compare(stored, expected, lossy=dataset.file_meta.TransferSyntaxUID in LOSSY)
    apart = int(np.abs(stored.astype(float) - _second_way(dataset)).max())
    seen = f"{shown.shape}, {len(np.unique(shown))} levels, {apart} from a second way to its pixels"
    return apart <= TOLERANCE, seen


def _pixels(path: Path) -> tuple[Values, Dataset]:
    """The first frame as stored, colours as RGB, and the header."""
    dataset = dcmread(path)
    return stored_frame(dataset, 0, int(dataset.get("NumberOfFrames") or 1)), dataset


def _compare(stored: Values, expected: Values, *, lossy: bool) -> tuple[bool, str]:
    error = float(np.mean((stored - expected) ** 2))
    if not error:
        return True, "identical"
    psnr = 10 * math.log10(float(np.ptp(expected)) ** 2 / error)
    required = f"{PSNR:g} dB" if lossy else "identical"
    return lossy and psnr >= PSNR, f"PSNR {psnr:.1f} dB, required: {required}"


def _second_way(dataset: Dataset) -> Values:
    """The first frame by other code than the project's, as far as there is any."""
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        return _from_422(dataset)
    joined = b"".join(generate_fragments(dataset.PixelData))
    if joined.startswith(b"\xff\xd8"):
        end = joined.index(b"\xff\xd9") + 2  # the first frame's, whatever fragments it came in
        return np.asarray(imagecodecs.jpeg8_decode(joined[:end]))
    if joined.startswith(b"\xff\x4f\xff\x51"):
        return np.asarray(imagecodecs.jpeg2k_decode(joined))
    return np.asarray(pixel_array(dataset, decoding_plugin="pydicom"))


def _from_422(dataset: Dataset) -> Values:
    """Uncompressed Y Y Cb Cr to RGB, by ITU-R BT.601 in full range."""
    size = dataset.Rows * dataset.Columns * 2
    four = np.frombuffer(dataset.PixelData[:size], np.uint8).reshape(dataset.Rows, -1, 4)
    light = four[..., :2].reshape(dataset.Rows, dataset.Columns).astype(float)
    blue, red = (np.repeat(four[..., k].astype(float) - 128, 2, axis=1) for k in (2, 3))
    green = light - 0.344136 * blue - 0.714136 * red
    colors = np.dstack([light + 1.402 * red, green, light + 1.772 * blue])
    return np.clip(np.rint(colors), 0, 255)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
