"""How much memory the largest pictures take that the limits allow, one process each.

A file of every kind is made that is as large as `tasks.imaging.limits` allows: some small in bytes,
others noise that nothing makes small. Then a process of its own de-identifies and prepares it, as
pull and preprocess do, and says what it took at most, with libraries and the file itself. The most
of all is the figure.

python -m benchmarks.peak_memory [SHARE]: of the limits, 1 by default.
"""

from __future__ import annotations

import io
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from math import isqrt
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.result import report
from tasks.common.errors import DecodeError
from tasks.common.params.pixels import PixelSettings
from tasks.imaging import limits
from tasks.imaging.deidentification import deidentify
from tasks.imaging.preparation import prepare
from tasks.privacy.pseudonyms import Pseudonyms

GOAL = 4.0  # GB, as README.md says
Writer = Callable[[NDArray[Any]], bytes]
SMALL, LARGE = ([side, side] for side in (224, 2048))  # for the larger, a JPEG is decoded whole


def picture(share: float, dtype: str, samples: int = 1) -> NDArray[Any]:
    """A gradient as large as the limits allow: `(H, W)` or `(H, W, samples)`, W twice H."""
    sample = samples * np.dtype(dtype).itemsize
    height = isqrt(int(share * min(limits.MOST_PIXELS, limits.MOST_BYTES // sample)) // 2)
    column = np.linspace(0, 255 if dtype == "u1" else 65535, height).astype(dtype)
    grey = np.repeat(column[:, None], 2 * height, axis=1)
    return np.stack([grey] * samples, axis=-1) if samples > 1 else grey


def of_noise(write: Writer) -> Writer:
    """A writer of noise in place of the picture."""

    def write_noise(pixels: NDArray[Any]) -> bytes:
        most = np.iinfo(pixels.dtype).max
        return write(np.random.default_rng(0).integers(0, most, pixels.shape, pixels.dtype))

    return write_noise


def opencv(suffix: str, *options: int) -> Writer:
    """A writer of OpenCV's."""
    return lambda pixels: bytes(cv2.imencode(suffix, pixels, list(options))[1].tobytes())


def tiff(compression: str, **options: Any) -> Writer:
    """A writer of libtiff's."""

    def write(pixels: NDArray[Any]) -> bytes:
        planes = options.get("planarconfig") == "separate"
        stored = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if planes else pixels
        return bytes(imagecodecs.tiff_encode(stored, compression=compression, level=1, **options))

    return write


def jpeg(pixels: NDArray[Any]) -> bytes:
    """A JPEG of several scans, which the decoder holds as a whole beside the picture."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", progressive=True, subsampling=0)
    return buffer.getvalue()


def dicom(pixels: NDArray[Any]) -> bytes:
    """A DICOM file without compression."""
    file = Dataset()
    file.SOPClassUID, file.SOPInstanceUID, file.Modality = CTImageStorage, "1.2.3.4", "CT"
    file.StudyInstanceUID, file.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    file.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    file.BitsAllocated = file.BitsStored = 8 * pixels.itemsize
    file.HighBit, file.PixelRepresentation, file.PlanarConfiguration = file.BitsStored - 1, 0, 0
    file.PixelData = pixels.tobytes()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


# How it is written, of which numbers and samples, and for which size it is prepared.
KINDS: dict[str, tuple[Writer, str, int, list[int]]] = {
    "PNG, 8-bit grey": (opencv(".png"), "u1", 1, SMALL),
    "PNG, 16-bit RGBA": (opencv(".png"), "u2", 4, SMALL),
    "JPEG, in several scans": (jpeg, "u1", 3, SMALL),
    "JPEG, decoded whole": (jpeg, "u1", 3, LARGE),
    "BMP, noise": (of_noise(opencv(".bmp")), "u1", 4, SMALL),
    "TIFF, 16-bit grey": (tiff("deflate", photometric="miniswhite"), "u2", 1, SMALL),
    "TIFF, 64-bit floats": (tiff("deflate", photometric="minisblack"), "f8", 1, SMALL),
    "TIFF, 16-bit RGBA": (tiff("deflate", photometric="rgb"), "u2", 4, SMALL),
    "TIFF, 16-bit RGB, noise": (of_noise(tiff("none", photometric="rgb")), "u2", 3, SMALL),
    "TIFF, planes": (tiff("none", photometric="rgb", planarconfig="separate"), "u2", 3, SMALL),
    "TIFF, CMYK": (tiff("none", photometric="separated"), "u1", 4, SMALL),
    "DICOM, 8-bit RGB": (dicom, "u1", 3, SMALL),
    "DICOM, 16-bit grey": (dicom, "u2", 1, SMALL),
    "DICOM, 32-bit grey": (dicom, "u4", 1, SMALL),
}


def make(kind: str, share: float, path: Path) -> None:
    """Write the file of a kind."""
    write, dtype, samples, _ = KINDS[kind]
    path.write_bytes(write(picture(share, dtype, samples)))


def measure(kind: str, path: Path) -> tuple[float, str]:
    """The most memory of this process so far in GB, after the file has been prepared."""
    content, outcome = path.read_bytes(), "prepared"
    try:
        deidentify(content, Pseudonyms(b"a key"), "keep")
        prepare(content, PixelSettings(size=KINDS[kind][3], color="rgb", window=None))
    except DecodeError as error:
        outcome = f"REFUSED: {error}"
    status = Path("/proc/self/status").read_text("ascii")  # unlike ru_maxrss not the parent's
    return 1024 * int(status.partition("VmHWM:")[2].split()[0]) / 1e9, outcome


def main(share: float) -> None:
    """Print what each kind takes, and the result."""
    spawning = multiprocessing.get_context("spawn")
    peaks = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, spawning, max_tasks_per_child=1) as fresh,
    ):
        for kind in KINDS:
            path = Path(folder) / "picture"
            fresh.submit(make, kind, share, path).result()
            start = time.perf_counter()
            peak, outcome = fresh.submit(measure, kind, path).result()
            seconds, size = time.perf_counter() - start, path.stat().st_size / 1e6
            print(f"{kind:28}{size:7.1f} MB  {peak:5.2f} GB  {seconds:5.1f} s  {outcome}")
            peaks.append(peak if outcome == "prepared" else float("inf"))
    report("peak_memory", max(peaks), GOAL, at_most=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
