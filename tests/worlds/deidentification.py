"""Files with names planted in them, and how the tests of de-identification read them."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tasks.imaging.deidentification import Clean, deidentify
from tasks.imaging.jpeg_segments import spelled
from tasks.imaging.png_cleaning import _chunk
from tasks.privacy.pseudonyms import Pseudonyms

NAME = "Quillfeather"
SECRET = NAME.encode()
PSEUDONYMS = Pseudonyms(b"a key of the tests")
PIXELS: NDArray[np.uint8] = np.random.default_rng(3).integers(0, 255, (24, 32, 3), np.uint8)


def clean(content: bytes) -> Clean:
    return deidentify(content, PSEUDONYMS)


def encoded(suffix: str, pixels: NDArray[np.generic] = PIXELS) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


def decoded(content: bytes, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[np.generic]:
    image: NDArray[np.generic] = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    return image


def exif(orientation: int) -> bytes:
    """Big-endian EXIF with an artist's name before the orientation's directory."""
    entries = struct.pack(">HHII", 0x010E, 2, len(SECRET), 38)
    entries += struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 2) + entries + struct.pack(">I", 0) + SECRET


def jpeg(orientation: int = 1) -> bytes:
    """A JPEG with names in EXIF, XMP, IPTC, a comment, a JFXX thumbnail, and after its end."""
    plain = encoded(".jpg")
    planted = spelled(0xE1, b"Exif\0\0" + exif(orientation))
    planted += spelled(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + SECRET)
    planted += spelled(0xED, b"Photoshop 3.0\0" + SECRET) + spelled(0xFE, SECRET)
    planted += spelled(0xE0, b"JFXX\0" + SECRET)
    return plain[:2] + planted + plain[2:] + SECRET


def png(orientation: int = 1) -> bytes:
    plain = encoded(".png")
    planted = _chunk(b"tEXt", b"Author\0" + SECRET) + _chunk(b"eXIf", exif(orientation))
    planted += _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(SECRET)) + _chunk(b"prVt", SECRET)
    planted += _chunk(b"gAMA", struct.pack(">I", 45455))
    return plain[:33] + planted + plain[33:] + SECRET


def dicom(syntax: str = ExplicitVRLittleEndian, **elements: object) -> bytes:
    file = Dataset()
    file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    file.StudyInstanceUID, file.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    file.PatientName, file.PatientID = f"{NAME}^Anselmina", f"MRN-{NAME}"
    file.PatientAge, file.PatientSex, file.PatientBirthDate = "061Y", "F", "19630412"
    file.StudyDate, file.StudyDescription = "20240412", f"for {NAME}"
    file.Manufacturer, file.ManufacturerModelName = "Maker", "Model 1"
    file.Modality, file.BodyPartExamined = "CT", "CHEST"
    file.Rows, file.Columns, file.SamplesPerPixel = 8, 8, 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.RescaleSlope, file.RescaleIntercept = "2.50", "-1024"
    file.WindowCenter, file.WindowWidth = [40, -400], [400, 1500]
    file.PixelData = np.arange(64, dtype="<u2").tobytes()
    block = file.private_block(0x0011, "MEDLOOP TEST", create=True)
    block.add_new(0x01, "LO", NAME)
    for keyword, value in elements.items():
        setattr(file, keyword, value)
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = syntax
    file.file_meta.SourceApplicationEntityTitle = NAME
    file.preamble = SECRET.ljust(128, b" ")
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def read(content: bytes) -> Dataset:
    return dcmread(io.BytesIO(content))
