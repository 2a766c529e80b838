"""Folders of prepared images in the state folder: what is never decoded twice.

A block is whole or not there: it is written beside and renamed at the end. Blocks of one home were
all made with the same settings by the same code, so an image in any of them is the image.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pandas as pd
import psutil

from tasks import documents
from tasks.errors import DataError
from tasks.imaging.levels import Pixels

TABLE = "images.parquet"  # image_id, row in the pixels (-1: it has none), and what is known
PIXELS = "pixels.npy"
RECEIPT = "receipt.json"  # digest (sha256 of the pixels), shape, dtype
DRAFT = ".draft-"


class Known(NamedTuple):
    """What the blocks of a home hold.

    Attributes:
        table: one row an image, indexed by `image_id`; `block` and `row` say where its pixels are.
        folders: of the blocks.
    """

    table: pd.DataFrame
    folders: list[Path]


class Draft:
    """A block in the making. Pixels go to its file as they come, so memory holds none of them."""

    def __init__(
        self, folder: Path, file: BinaryIO, image: Sequence[int], hasher: ThreadPoolExecutor
    ) -> None:
        self._folder, self._file, self._hasher = folder, file, hasher
        self._shape = (0, *image)
        self._digest = hashlib.sha256()
        self._write_header()

    def _write_header(self) -> None:
        """Its length stays: numpy leaves room in it for the first axis to grow."""
        header = {"descr": "|u1", "fortran_order": False, "shape": self._shape}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, pixels: Pixels) -> None:
        """Write further images `(N, H, W, C)`."""
        data = np.ascontiguousarray(pixels).reshape(-1).data
        hashed = self._hasher.submit(self._digest.update, data)  # both let go of the interpreter
        with storing(self._folder.parent):
            self._file.write(data)
        hashed.result()
        self._shape = (self._shape[0] + len(pixels), *self._shape[1:])

    def finish(self, folder: Path, table: pd.DataFrame) -> dict[str, Any]:
        """Make it the block `folder`, whose table is `table`; its receipt."""
        digest = self._digest.hexdigest()
        receipt = {"digest": digest, "shape": list(self._shape), "dtype": "uint8"}
        with storing(self._folder.parent):
            self._write_header()
            self._file.close()
            table.to_parquet(self._folder / TABLE, index=False)
            documents.write_json(self._folder / RECEIPT, receipt)
            shutil.rmtree(folder, ignore_errors=True)
            self._folder.rename(folder)
        return receipt


@contextmanager
def draft(home: Path, image: Sequence[int]) -> Iterator[Draft]:
    """A block of images of the shape `(H, W, C)` to fill and finish; unfinished, it is removed.

    Raises:
        DataError: the disk is full, or `home` cannot be written.
    """
    folder = home / f"{DRAFT}{os.getpid()}"
    with storing(home):
        documents.fresh_folder(folder)
        file = (folder / PIXELS).open("wb")
    try:
        with ThreadPoolExecutor(1) as hasher:
            yield Draft(folder, file, image, hasher)
    finally:
        with suppress(OSError):  # what a full disk left in the buffer; that was told already
            file.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def storing(home: Path) -> Iterator[None]:
    """Turn what the disk refuses under `home` into an error that names it."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{home} cannot be written or read ({error.strerror or error}): free space or mend "
            "the rights there, or point MEDLOOP_STATE at another disk, then run again: it goes "
            "on with the blocks that are whole"
        ) from error


def require_space(home: Path, needed: int) -> None:
    """Refuse at once what would fill the disk at the end.

    Args:
        home: where it is to be written.
        needed: bytes.

    Raises:
        DataError: less than that is free.
    """
    with storing(home):
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
    if needed > free:
        raise DataError(
            f"required: {needed / 1e9:,.2f} GB for prepared images in {home}; received: "
            f"{free / 1e9:,.2f} GB free. Free space, point MEDLOOP_STATE at another disk, or "
            "lower preprocess.size"
        )


def adopt(known: Known, folder: Path, image_ids: Sequence[str]) -> dict[str, Any] | None:
    """Make a block that holds exactly these images in this order the block `folder`, and give its
    receipt; None where there is none.
    """
    wanted = list(image_ids)
    block = int(known.table["block"].get(wanted[0], -1)) if wanted else -1
    held = known.table[known.table["block"] == block]
    if not wanted or list(held.index) != wanted or list(held["row"]) != list(range(len(wanted))):
        return None
    with storing(folder.parent):
        shutil.rmtree(folder, ignore_errors=True)
        known.folders[block].rename(folder)
    return read_receipt(folder)


def read_receipt(folder: Path) -> dict[str, Any] | None:
    """The receipt of a block; None where the block is not there or its pixels are damaged."""
    try:
        receipt: dict[str, Any] = documents.read_json(folder / RECEIPT)
        intact = list(open_pixels(folder, receipt).shape) == receipt["shape"]
    except (OSError, ValueError):
        return None
    return receipt if intact else None


def open_pixels(folder: Path, receipt: dict[str, Any]) -> Pixels:
    """The pixels of a block, memory-mapped and read-only."""
    if receipt["shape"][0] == 0:  # nothing to map
        return np.empty(receipt["shape"], np.uint8)
    pixels: Pixels = np.load(folder / PIXELS, mmap_mode="r")
    return pixels


def read(home: Path) -> Known:
    """What the blocks of `home` hold."""
    empty = pd.DataFrame({"image_id": [], "block": [], "row": []})
    tables: list[pd.DataFrame] = [empty]
    whole = [folder for folder in _folders(home) if read_receipt(folder) is not None]
    for block, folder in enumerate(whole):
        tables.append(pd.read_parquet(folder / TABLE).assign(block=block))
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    return Known(table.drop_duplicates("image_id").set_index("image_id"), whole)


def gather(known: Known, image_ids: Sequence[str]) -> Iterator[Pixels]:
    """The pixels of prepared images in the order asked for, in runs `(N, H, W, C)` of rows that
    follow one another in a block.
    """
    where = known.table.loc[list(image_ids), ["block", "row"]].to_numpy(np.int64)
    # Mapped anew each time: what was read stays in memory as long as the map.
    maps = {b: np.load(known.folders[b] / PIXELS, mmap_mode="r") for b in np.unique(where[:, 0])}
    follows = np.all(np.diff(where, axis=0) == (0, 1), axis=1)
    for run in np.split(where, np.flatnonzero(~follows) + 1):
        block, first = run[0]
        yield maps[block][first : first + len(run)]


def sweep(home: Path, kept: Path) -> None:
    """Remove the blocks whose images are all in `kept`, and what killed processes left behind."""
    held = set(_image_ids(kept))
    for folder in _folders(home):
        if folder != kept and held.issuperset(_image_ids(folder)):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in home.glob(f"{DRAFT}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(DRAFT).partition("-")[0])):
            shutil.rmtree(folder, ignore_errors=True)


def _image_ids(folder: Path) -> list[str]:
    return list(pd.read_parquet(folder / TABLE, columns=["image_id"])["image_id"])


def _folders(home: Path) -> list[Path]:
    return sorted(table.parent for table in home.glob(f"[!.]*/{TABLE}"))
