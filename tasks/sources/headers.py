"""The headers of a tree of DICOM files: what finding their labels and their order takes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.multival import MultiValue

from tasks.common.errors import DecodeError, SourceError
from tasks.common.progress import progress
from tasks.imaging.formats import sniff
from tasks.sources.tree import Tree

THREADS = 4  # they wait for the disk together, no more: parsing holds Python's lock
HEAD = 132  # bytes by which a file shows that it is DICOM
FILE = "file"
KEYS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID")
PLACE = ("InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "SliceLocation")
PICTURE = ("Rows", "Modality")
DERIVED = ("SEG", "RTDOSE")  # modalities of masks and doses, which have rows and columns too


@dataclass(frozen=True)
class Header:
    """What listing needs of one file.

    Attributes:
        name: its path relative to the tree.
        keys: `name` as `file`, and those of `KEYS` that it has; of a damaged file the name alone.
        place: instance number, position along the normal in mm and slice location in mm, by which
            a series is sorted; None for what is missing.
        values: of the field asked for.
        picture: whether it holds pixels of a patient, as far as the header tells.
    """

    name: str
    keys: Mapping[str, str]
    place: tuple[float | None, float | None, float | None] = (None, None, None)
    values: tuple[str, ...] = ()
    picture: bool = True

    @property
    def damaged(self) -> bool:
        """Whether it begins like DICOM, but cannot be parsed or says nothing of what it is."""
        return len(self.keys) == 1


def read_headers(tree: Tree, field: str | None = None) -> tuple[list[Header], int]:
    """The headers of the DICOM files of a tree in the order of their names, and the number of
    other files.

    Raises:
        SourceError: the folder or a file cannot be read.
    """
    try:
        files = tree.files(tree.root)
        with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
            warnings.simplefilter("ignore")  # pydicom's warnings quote values
            read = pool.map(lambda file: _header(tree, file, field), files)
            shown = zip(progress(files, "Reading headers"), read, strict=True)
            headers = [header for _, header in shown if header]
    except OSError as error:  # without the file's name, which may identify
        raise SourceError(
            "required: a folder of DICOM files that can be read; the folder or a file in it is not "
            f"({error.strerror}): fix pull.path, or the rights of what it names"
        ) from None
    return headers, len(files) - len(headers)


def in_order(series: list[Header]) -> list[Header]:
    """The files of a series as a viewer shows them.

    By instance number, then by position, by slice location, by UID; what one file lacks, none is
    sorted by.
    """
    common = [i for i in range(3) if all(header.place[i] is not None for header in series)]
    return sorted(
        series,
        key=lambda header: (
            [header.place[i] for i in common],
            header.keys.get("SOPInstanceUID", ""),
            header.name,
        ),
    )


def _header(tree: Tree, file: Path, field: str | None) -> Header | None:
    """The header of one file, or None if it is no DICOM."""
    name = tree.name(file)
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    if not _is_dicom(head):
        return None
    wanted: list[str | int | tuple[int, int]] = [*KEYS, *PLACE, *PICTURE]
    if field:
        wanted.append(field)
    try:
        dataset = dcmread(file, stop_before_pixels=True, force=True, specific_tags=wanted)
    except Exception:  # a damaged file fails in any way, also with an OSError
        return Header(name, {FILE: name})
    keys = {key: "\\".join(values) for key in KEYS if (values := _values(dataset, key))}
    return Header(
        name,
        {FILE: name} | keys,
        _place(dataset),
        _values(dataset, field) if field else (),
        bool(_values(dataset, "Rows")) and _modality(dataset) not in DERIVED,
    )


def _modality(dataset: Dataset) -> str:
    return "".join(_values(dataset, "Modality")).upper()


def _is_dicom(head: bytes) -> bool:
    try:
        return sniff(head) == "dicom"
    except DecodeError:
        return False


def _place(dataset: Dataset) -> tuple[float | None, float | None, float | None]:
    number, position, axes, location = (_numbers(dataset, keyword) for keyword in PLACE)
    along = None
    if len(position) == 3 and len(axes) == 6:
        along = float(np.dot(np.cross(axes[:3], axes[3:]), position))
    return number[0] if number else None, along, location[0] if location else None


def _numbers(dataset: Dataset, keyword: str) -> list[float]:
    """The values of one element as finite numbers, or none of them."""
    try:
        numbers = [float(text) for text in _values(dataset, keyword)]
    except ValueError:
        return []
    return numbers if np.isfinite(numbers).all() else []


def _values(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of one element as text; none where it is missing, empty or damaged."""
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom parses a value only when it is asked for
        return ()
    values = value if isinstance(value, MultiValue) else [value]
    return tuple(text for each in values if each is not None and (text := str(each).strip()))
