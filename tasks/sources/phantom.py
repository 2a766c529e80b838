"""The synthetic default source: chest CT-like slices with and without a nodule, as real DICOM.

It stands for a hospital's archive, invented names and all, so that de-identification has something
to do from the first run. Nothing in it comes from a person, and each file says so.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, CTImageStorage, ExplicitVRLittleEndian

from tasks.common import digests, paths
from tasks.privacy.pseudonyms import PUBLIC_KEY, Pseudonyms
from tasks.sources import Listing, phantom_anatomy
from tasks.sources.table import read_table

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

LABELS = ("no_nodule", "nodule")
DISEASED = 0.5  # share of the patients with a nodule
SLICES = (3, 5)  # a patient
SPACING = (6.0, 11.0)  # pixels from slice to slice
NOTICE = "SYNTHETIC PHANTOM - computer-drawn, shows no person"

# Invented names, planted where archives hold real ones; tests look for them in all that is kept.
FAMILY_NAMES = ["Quillfeather", "Zebulonsky", "Marrowgate", "Thistlecombe", "Okonjwera", "Vexholm"]
GIVEN_NAMES = ["Anselmina", "Bartholdus", "Crispinella", "Dagobertus", "Evangelika", "Fridolinus"]
PHYSICIAN, OPERATOR = "Dr. Hieronyma Vandersnoot", "Wolfhardt Pimpernelle"
INSTITUTION, STATION = "St. Elmswick Infirmary", "WOBBLETHORPE-CT"
ADDRESS, TELEPHONE = "14 Wobblethorpe Lane, Upper Snoring-on-Sea", "555-0199-8731"
RECORD = "MRN-QZX"
PLANTED_NAMES = [
    *FAMILY_NAMES,
    *GIVEN_NAMES,
    *("Vandersnoot", "Hieronyma", "Pimpernelle", "Elmswick", "Wobblethorpe", "WOBBLETHORPE"),
    *("Upper Snoring", TELEPHONE, RECORD),
]


@dataclass(frozen=True)
class Scanner:
    """A scanner at a site of its own; noise in HU, blur in pixels, and its way of storing HU."""

    site: str
    model: str
    noise: float
    blur: float
    slope: float
    intercept: float


SCANNERS = [
    Scanner("synthetic site A", "Phantom One", 22.0, 0.6, 1.0, -1024.0),
    Scanner("synthetic site B", "Phantom Two", 38.0, 1.0, 2.0, -2000.0),
]


@dataclass(frozen=True)
class Slice:
    """One slice: its file, its name in the archive, its row of labels.csv, and its lesion."""

    content: bytes
    name: str
    row: dict[str, str]
    lesion: NDArray[np.bool_] | None


def listing(pull: Pull, kind: str) -> Listing:
    """Write the archive once, then list it like any other one with a table of labels."""
    archive = write_archive(pull.phantom.patients, pull.phantom.seed)
    return read_table(archive / "labels.csv", [], {"mask": "mask"}, kind)


def write_archive(patients: int, seed: int) -> Path:
    """The archive of these parameters and this code, in a folder of its own, written if missing.

    It holds `labels.csv`, `images/`, and `masks/<image_id>.png` of each lesion.
    """
    code = [digests.of_file(Path(module)) for module in (__file__, phantom_anatomy.__file__)]
    archive = paths.phantom() / digests.of_json([patients, seed, code])[:12]
    if archive.is_dir():
        return archive
    draft = archive.with_name(f".{archive.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    rows = [_save(draft, slice_) for index in range(patients) for slice_ in draw(seed, index)]
    with (draft / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (draft / "README.txt").write_text(f"{NOTICE}. Made by tasks/sources/phantom.py.\n")
    draft.rename(archive)
    return archive


def _save(archive: Path, slice_: Slice) -> dict[str, str]:
    (archive / "images").mkdir(parents=True, exist_ok=True)
    (archive / "masks").mkdir(exist_ok=True)
    (archive / "images" / slice_.name).write_bytes(slice_.content)
    if slice_.lesion is None:
        return slice_.row | {"mask": ""}
    image_id = Pseudonyms(PUBLIC_KEY).image(hashlib.sha256(slice_.content).hexdigest())
    mask = f"masks/{image_id}.png"
    mask_png = cv2.imencode(".png", slice_.lesion.astype(np.uint8) * 255)[1].tobytes()
    (archive / mask).write_bytes(mask_png)
    return slice_.row | {"mask": mask}


def draw(seed: int, index: int) -> Iterator[Slice]:
    """The slices of patient `index`, the same whatever the number of patients."""
    rng = np.random.default_rng([seed, index])
    scanner = SCANNERS[rng.integers(len(SCANNERS))]
    diseased = bool(rng.random() < DISEASED)
    slices, spacing = int(rng.integers(SLICES[0], SLICES[1] + 1)), rng.uniform(*SPACING)
    body = phantom_anatomy.draw_body(rng, slices, diseased)
    person = _person(rng, seed, index)
    for level in range(slices):
        truth, lesion = phantom_anatomy.draw_slice(rng, body, level, spacing)
        image = phantom_anatomy.acquire(rng, truth, scanner.noise, scanner.blur)
        name = f"{person.PatientName.family_name}_{index:05d}_{level}.dcm".replace(" ", "_")
        row = {
            "file": f"images/{name}",
            "label": LABELS[lesion is not None],
            "patient_id": str(person.PatientID),
            "site": scanner.site,
        }
        yield Slice(_dicom(person, scanner, image, level, spacing), name, row, lesion)


def _person(rng: np.random.Generator, seed: int, index: int) -> Dataset:
    """What is the same in all files of a patient: a made-up identity, and who took the pictures."""
    family, given = rng.choice(FAMILY_NAMES), rng.choice(GIVEN_NAMES)
    age = int(rng.integers(28, 95))
    person = Dataset()
    person.PatientName = f"{family}^{given}"
    person.PatientID = f"{RECORD}-{family}-{index:05d}"
    person.PatientBirthDate = f"{2024 - age}0229"
    person.PatientAge, person.PatientSex = f"{age:03d}Y", str(rng.choice(["F", "M"]))
    person.PatientAddress, person.PatientTelephoneNumbers = ADDRESS, TELEPHONE
    person.ReferringPhysicianName, person.OperatorsName = PHYSICIAN, OPERATOR
    person.InstitutionName, person.InstitutionAddress = INSTITUTION, ADDRESS
    person.StationName, person.AccessionNumber = STATION, f"{RECORD}{index:05d}"
    person.PatientComments = f"{given} {family} asks to be called at {TELEPHONE}. {NOTICE}"
    person.StudyDate = person.SeriesDate = person.ContentDate = "20240229"
    person.StudyTime = "101500"
    person.StudyDescription = f"SYNTHETIC PHANTOM for {PHYSICIAN}"
    person.SeriesDescription = NOTICE
    person.StudyInstanceUID = _uid(seed, index)
    person.SeriesInstanceUID = _uid(seed, index, 0)
    person.FrameOfReferenceUID = _uid(seed, index, 1)
    block = person.private_block(0x0011, "MEDLOOP PHANTOM", create=True)
    block.add_new(0x01, "LO", f"{family}, {given}")
    return person


def _dicom(
    person: Dataset, scanner: Scanner, hounsfield: NDArray[np.float32], level: int, spacing: float
) -> bytes:
    file = Dataset()
    file.update(person)
    file.SOPClassUID = CTImageStorage
    file.SOPInstanceUID = _uid(str(person.StudyInstanceUID), level)
    file.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    file.Modality, file.BodyPartExamined = "CT", "CHEST"
    file.Manufacturer, file.ManufacturerModelName = "Medloop Synthetic", scanner.model
    file.InstanceNumber, file.SeriesNumber = level + 1, 1
    file.PixelSpacing, file.SliceThickness = [1.4, 1.4], round(1.4 * spacing, 2)
    file.ImagePositionPatient = [-179, -179, round(-1.4 * spacing * level, 2)]
    file.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    file.ImageComments = f"{NOTICE}; reported by {PHYSICIAN}"
    _set_pixels(file, scanner, hounsfield)
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    file.file_meta.ImplementationVersionName = "MEDLOOP_PHANTOM"
    file.file_meta.SourceApplicationEntityTitle = STATION
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _set_pixels(file: Dataset, scanner: Scanner, hounsfield: NDArray[np.float32]) -> None:
    stored = np.rint((hounsfield - scanner.intercept) / scanner.slope).clip(0, 4095)
    file.Rows, file.Columns = stored.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.RescaleSlope, file.RescaleIntercept = scanner.slope, scanner.intercept
    file.RescaleType = "HU"
    file.WindowCenter, file.WindowWidth = -400, 1500
    file.PixelData = stored.astype("<u2").tobytes()


def _uid(*parts: int | str) -> str:
    return f"2.25.{int(digests.of_json(parts)[:32], 16)}"
