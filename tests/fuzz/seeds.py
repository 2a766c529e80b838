"""Small files of every kind that is read, for the fuzz harness to damage."""

from __future__ import annotations

import io
import tarfile
import zipfile

import cv2
import imagecodecs
import numpy as np
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.fuzz import dicom_seeds
from tests.worlds.dicom_files import make_dicom

SIDE = 24
HEADER = {
    "SOPInstanceUID": "1.2.3.4",
    "PatientName": "Quillfeather^Anselmina",
    "PatientID": "MRN 1",
    "PatientAge": "061Y",
    "StudyInstanceUID": "1.2.3",
    "StudyDate": "20240412",
    "Modality": "CT",
    "WindowCenter": [40, -400],
    "WindowWidth": [400, 1500],
    "RescaleSlope": "2.5",
    "RescaleIntercept": "-200",
}


def pictures() -> list[bytes]:
    """Whole image files; the same ones at every call."""
    return [*_dicom_seeds(), *dicom_seeds.files(), *_raster_seeds()]


def archives() -> dict[str, bytes]:
    """Archives of two pictures, by suffix."""
    files = {
        f"{kind}/1{kind}": cv2.imencode(kind, _grey())[1].tobytes() for kind in (".png", ".jpg")
    }
    packed, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name[1:]), content)
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name[1:])
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return {".zip": packed.getvalue(), ".tar.gz": tarred.getvalue()}


def _grey(dtype: type = np.uint8) -> np.ndarray:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    return (rows * 7 + columns * columns).astype(dtype)


def _dicom_seeds() -> list[bytes]:
    deep, flat = _grey(np.uint16), _grey()
    plain = [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
    frames = [cv2.imencode(".jpg", flat)[1].tobytes()] * 3
    coded: list[tuple[UID, list[bytes]]] = [
        (JPEGLSLossless, [imagecodecs.jpegls_encode(flat)]),
        (JPEG2000Lossless, [imagecodecs.jpeg2k_encode(flat, codecformat="j2k", reversible=True)]),
        (JPEG2000Lossless, [imagecodecs.jpeg2k_encode(flat, codecformat="jp2", reversible=True)]),
        (HTJ2KLossless, [imagecodecs.htj2k_encode(flat)]),
        (JPEGLosslessSV1, [imagecodecs.ljpeg_encode(flat)]),
        (RLELossless, [_rle(flat)]),
    ]
    return [
        make_dicom(deep, **HEADER),
        make_dicom(np.stack([deep] * 3), **HEADER),
        make_dicom(np.dstack([flat] * 3), **HEADER),
        make_dicom(np.stack([flat] * 3), JPEGBaseline8Bit, frames, **HEADER),
        *(make_dicom(deep, syntax, **HEADER) for syntax in plain),
        *(make_dicom(flat, syntax, data, **HEADER) for syntax, data in coded),
    ]


def _rle(flat: np.ndarray) -> bytes:
    rows = b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in flat)
    header = np.array([1, 64] + [0] * 14, "<u4").tobytes()
    return header + rows + bytes(len(rows) % 2)


def _raster_seeds() -> list[bytes]:
    flat, deep, colored = _grey(), _grey(np.uint16), np.dstack([_grey()] * 3)
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    pictures = [
        *((suffix, flat, []) for suffix in (".png", ".jpg", ".tiff", ".bmp")),
        *((suffix, colored, []) for suffix in (".png", ".jpg", ".tiff", ".bmp")),
        (".png", deep, []),
        (".tiff", deep, []),
        (".tiff", flat.astype(np.float32), []),
        (".jpg", colored, progressive),
        (".png", np.dstack([colored, flat]), []),
    ]
    return [bytes(cv2.imencode(*picture)[1].tobytes()) for picture in pictures]
