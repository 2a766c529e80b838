"""The 2D sets of MedMNIST: labelled pictures in one `.npz` with an official split.

The file is fetched from Zenodo and held to its published md5, or named by `pull.path`. Its pictures
are unpacked as they are read: the largest sets do not fit into memory.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pooch
from numpy.typing import NDArray

from tasks.common import labels
from tasks.common.errors import SourceError
from tasks.common.manifest import SPLITS
from tasks.common.paths import StateEntry
from tasks.sources import Item, Listing, transfer
from tasks.sources.medmnist_sets import BASE, CITATION, SETS, Published
from tasks.sources.npz import Rows, read_array

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

URL_VARIABLE = "MEDLOOP_MEDMNIST_URL"  # a mirror of the files
LARGEST = 40 * 10**9  # bytes of a file
LAYOUT = "an .npz with train_images, train_labels and the same for val and test, as MedMNIST has it"


def listing(pull: Pull, kind: str) -> Listing:
    """List the pictures of `pull.path`, or of the set that `pull.medmnist` names.

    Raises:
        SourceError: the set is unknown, does not fit `task.kind`, cannot be had, or is none.
    """
    published = _published(pull.medmnist.name)
    if published.kind != kind:
        raise SourceError(
            f"{pull.medmnist.name} is a {published.kind} set, task.kind is {kind}: "
            f"set task.kind to {published.kind} and task.classes to auto, or choose another set"
        )
    size = pull.medmnist.size
    file = Path(pull.path).expanduser() if pull.path else download(pull.medmnist.name, size)
    items = [item for split in SPLITS for item in _read_split(file, split, published)]
    origin = "a file of one's own, its md5 not checked" if pull.path else "the published file"
    notes = [
        f"{pull.medmnist.name}: {len(items):,} pictures from {origin}; licence of the published "
        f"set: {published.licence}; cite {CITATION} and the set's own source"
    ]
    return Listing(items, notes)


def _published(name: str) -> Published:
    if name not in SETS:
        raise SourceError(
            f"pull.medmnist.name: required one of {', '.join(SETS)}; received {name!r}"
        )
    return SETS[name]


def download(name: str, size: int) -> Path:
    """The published file of a set, fetched if it is not there yet or not what was published.

    Raises:
        SourceError: it cannot be had, or is never the published one.
    """
    file = f"{name}.npz" if size == 28 else f"{name}_{size}.npz"
    url = f"{transfer.base_url(URL_VARIABLE, BASE)}/{file}"
    folder, progress = StateEntry.DOWNLOADS.path / "medmnist", transfer.Progress(file, 1)
    line = transfer.Line(count=progress.add)

    def save(url: str, output: str, _: Any) -> None:
        line.save(url, {"download": "1"}, Path(output), LARGEST)

    def attempt() -> str:
        md5 = f"md5:{SETS[name].md5[size]}"
        try:
            return str(pooch.retrieve(url, md5, file, folder, downloader=save))
        except ValueError:  # what pooch raises of a wrong digest
            raise transfer.AttemptError("the md5 of what came is not the published one") from None

    try:
        return Path(line.retrying(attempt))
    except SourceError as error:
        raise SourceError(
            f"{url} could not be fetched: {error}. Pull again later, or fetch it elsewhere and "
            "name it in pull.path"
        ) from None


def _read_split(file: Path, split: str, published: Published) -> Iterator[Item]:
    try:
        values = read_array(file, f"{split}_labels")
        pictures = Rows(file, f"{split}_images")
    except FileNotFoundError:
        raise SourceError(f"pull.path must be {LAYOUT}; what it names is not there") from None
    except OSError as error:  # without the file's name, which may identify
        raise SourceError(
            f"the .npz cannot be read ({error.strerror}): fix pull.path, or the rights of what it "
            "names"
        ) from None
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError) as error:
        raise SourceError(f"the file is not {LAYOUT}: {error}") from None
    shape, dtype = pictures.shape, pictures.dtype
    if dtype != np.uint8 or not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)):
        raise SourceError(
            f"{split}_images must be uint8 (N, height, width) or (N, height, width, 3); "
            f"received {dtype} {shape}"
        )
    names = _names(values, published, f"{split}_labels", shape[0])
    for row, label in enumerate(names):
        read = partial(picture, pictures, row)
        yield Item(f"{split}/{row:05d}", read, label, source_split=split)


def _names(values: NDArray[Any], published: Published, where: str, images: int) -> list[str]:
    """The label of each row: class numbers `(N, 1)`, or 0 and 1 for each class `(N, K)`."""
    classes = published.classes
    multilabel = published.kind == "multilabel"
    width, above = (len(classes), 2) if multilabel else (1, len(classes))
    if values.ndim == 1 and not multilabel:
        values = values[:, None]
    if values.shape != (images, width) or values.dtype.kind not in "iu":
        raise SourceError(
            f"{where} must be whole numbers {(images, width)}; received {values.dtype} "
            f"{values.shape}. Does pull.medmnist.name name this set?"
        )
    if values.size and not 0 <= values.min() <= values.max() < above:
        raise SourceError(
            f"{where} must be from 0 to {above - 1}; received {values.min()} to {values.max()}. "
            "Does pull.medmnist.name name this set?"
        )
    if multilabel:
        found = (sorted(np.compress(row, classes)) for row in values)
        return [labels.SEPARATOR.join(map(str, names)) for names in found]
    return [classes[int(value)] for value in values[:, 0]]


def picture(pictures: Rows, row: int) -> bytes:
    """One picture as a BMP file: its bytes, and with them the image's id, are the same with every
    release of OpenCV, which cannot be said of the compression in a PNG.
    """
    pixels = pictures.row(row)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    coded: bytes = cv2.imencode(".bmp", pixels)[1].tobytes()
    return coded
