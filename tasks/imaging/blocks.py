"""Folders of prepared images in the state folder: what is never decoded twice.

A block is whole or not there: it is written beside and renamed at the end. Blocks of one home were
all made with the same settings by the same code, so an image in any of them is the image. An image
that has been damaged since leaves its block, as if it had never been prepared.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.common import digests, documents
from tasks.imaging import verification
from tasks.imaging.disk import storing
from tasks.imaging.levels import Pixels

TABLE = "images.parquet"  # image_id, row in the pixels, digest of these, and what is known
PIXELS = "pixels.npy"
# digest (over those of the images, by row, taken when they were prepared), shape, dtype
RECEIPT = "receipt.json"
DRAFT = ".draft-"
# What a file system answers that cannot copy between two files by itself.
NO_COPY = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EIO}
CHUNK = 1 << 24  # bytes copied at a time where it cannot


class Known(NamedTuple):
    """What the blocks of a home hold.

    Attributes:
        table: one row per image, indexed by `image_id`; `block` and `row` say where its pixels are.
        folders: of the blocks.
    """

    table: pd.DataFrame
    folders: list[Path]


class Run(NamedTuple):
    """Images that follow one another in the block `folder`: so many `images` from a row on."""

    folder: Path
    first: int
    images: int


class Draft:
    """A block in the making. Pixels go to its file as they come, so memory holds none of them."""

    def __init__(self, folder: Path, file: BinaryIO, image: Sequence[int]) -> None:
        self._folder, self._file = folder, file
        self._shape = (0, *image)
        self._write_header()

    def _write_header(self) -> None:
        """Its length stays: numpy leaves room in it for the first axis to grow."""
        header = {"descr": "|u1", "fortran_order": False, "shape": self._shape}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, images: Pixels) -> None:
        """Write further images, `(n, H, W, C)`."""
        with storing(self._folder.parent):
            self._file.write(np.ascontiguousarray(images).reshape(-1).data)
        self._grow(len(images))

    def copy(self, run: Run) -> None:
        """Write further images, those of another block."""
        size = prod(self._shape[1:])
        with storing(self._folder.parent), (run.folder / PIXELS).open("rb") as source:
            verification.read_header(source)
            begin = source.tell() + run.first * size
            self._file.flush()
            _copy(source.fileno(), self._file.fileno(), begin, run.images * size)
        self._grow(run.images)

    def _grow(self, images: int) -> None:
        self._shape = (self._shape[0] + images, *self._shape[1:])

    def finish(self, folder: Path, table: pd.DataFrame) -> dict[str, Any]:
        """Make it the block `folder`, whose table is `table`, by row; its receipt."""
        digest = digest_of(self._shape, table["digest"].tolist())
        receipt = {"digest": digest, "shape": list(self._shape), "dtype": "uint8"}
        with storing(self._folder.parent):
            self._write_header()
            self._file.close()
            table.to_parquet(self._folder / TABLE, index=False, write_page_checksum=True)
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
        yield Draft(folder, file, image)
    finally:
        with suppress(OSError):  # what a full disk left in the buffer; that was told already
            file.close()
        shutil.rmtree(folder, ignore_errors=True)


def digest_of(shape: Sequence[int], images: Iterable[str]) -> str:
    """The digest of a block: sha256 over its shape and the digests of its images, by row."""
    return hashlib.sha256("".join([str(list(shape)), *images]).encode()).hexdigest()


def _copy(source: int, target: int, begin: int, size: int) -> None:
    """Append `size` bytes of one open file, from the place `begin` on, to another."""
    end = begin + size
    while begin < end:
        copied = _copy_some(source, target, begin, end - begin)
        if copied == 0:
            raise OSError(errno.EIO, "a block is shorter than its receipt says")
        begin += copied


def _copy_some(source: int, target: int, begin: int, size: int) -> int:
    """Up to `size` bytes: inside the kernel, where it can."""
    if hasattr(os, "copy_file_range"):  # not on macOS
        try:
            copied = os.copy_file_range(source, target, size, begin)
        except OSError as error:
            if error.errno not in NO_COPY:
                raise
            copied = 0
        if copied:  # some file systems copy nothing and call it no error
            return copied
    return os.write(target, os.pread(source, min(CHUNK, size), begin))


def adopt(known: Known, folder: Path, image_ids: Sequence[str]) -> dict[str, Any] | None:
    """Make a block that holds exactly these images in this order the block `folder`, and give its
    receipt; None where there is none.
    """
    wanted = list(image_ids)
    block = int(known.table["block"].get(wanted[0], -1)) if wanted else -1
    held = known.table[known.table["block"] == block]
    same = held.index.tolist() == wanted and held["row"].tolist() == list(range(len(wanted)))
    if not wanted or not same:
        return None
    with storing(folder.parent):
        shutil.rmtree(folder, ignore_errors=True)
        known.folders[block].rename(folder)
    return read_receipt(folder)


def read_receipt(folder: Path) -> dict[str, Any] | None:
    """The receipt of a block; None where the block is not there or any of it is damaged."""
    try:
        receipt: dict[str, Any] = documents.read_json(folder / RECEIPT)
        each = _read_table(folder)["digest"].tolist()
        told = receipt["digest"] == digest_of(receipt["shape"], each)
        intact = told and list(open_pixels(folder, receipt).shape) == receipt["shape"]
    except (OSError, EOFError, ValueError, TypeError, KeyError):  # so does damage show
        return None
    whole = intact and not len(verification.damaged_rows(folder / PIXELS, each))
    return receipt if whole else None


def _read_table(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / TABLE, page_checksum_verification=True)


def open_pixels(folder: Path, receipt: dict[str, Any]) -> Pixels:
    """The pixels of a block, memory-mapped and read-only."""
    if receipt["shape"][0] == 0:  # nothing to map
        return np.empty(receipt["shape"], np.uint8)
    pixels: Pixels = np.load(folder / PIXELS, mmap_mode="r")
    return pixels


def read(home: Path) -> Known:
    """What the blocks of `home` hold; what is damaged there is removed.

    Raises:
        DataError: a damaged block cannot be read or replaced.
    """
    for folder in _folders(home):
        if read_receipt(folder) is None:
            _remove_damage(folder)
    whole = _folders(home)
    if not whole:
        nothing = pd.DataFrame({"image_id": [], "digest": [], "block": [], "row": []})
        return Known(nothing.set_index("image_id"), whole)
    table = pd.concat(
        [_read_table(folder).assign(block=k) for k, folder in enumerate(whole)],
        ignore_index=True,
    )
    twice = table["image_id"].duplicated()
    return Known((table[~twice] if twice.any() else table).set_index("image_id"), whole)


def _remove_damage(folder: Path) -> None:
    """Put the images of a block that are whole into another, and remove it."""
    with storing(folder.parent):
        table = _read_if_whole(folder)
        damaged = verification.damaged_rows(folder / PIXELS, table["digest"].tolist())
        kept = table[~table.index.isin(damaged)]
        other = _keep(folder, kept) if len(kept) else None
        if other != folder:  # where the receipt alone was damaged, it has taken its name
            shutil.rmtree(folder)
    print(
        f"{folder} was damaged: {len(kept):,} of its images are kept, others are prepared anew",
        flush=True,
    )


def _read_if_whole(folder: Path) -> pd.DataFrame:
    """The table of a block; without rows where it is damaged."""
    nothing = pd.DataFrame({"image_id": [], "digest": []})
    try:
        table = _read_table(folder)
        return table if set(nothing) <= set(table) else nothing
    except ValueError:
        return nothing
    except OSError as error:
        if error.errno not in (None, errno.EIO):  # pyarrow's own, of a damaged file, have no number
            raise
        return nothing


def _keep(folder: Path, kept: pd.DataFrame) -> Path:
    """Make a block of some rows of another; its folder."""
    ids = kept["image_id"].tolist()
    target = folder.parent / part_name(ids)
    known = Known(kept.assign(block=0).set_index("image_id"), [folder])
    with (folder / PIXELS).open("rb") as file:
        _, *image = verification.read_header(file)
    with draft(folder.parent, image) as whole:
        for run in runs(known, ids):
            whole.copy(run)
        whole.finish(target, kept.assign(row=range(len(kept))))
    return target


def part_name(image_ids: Sequence[str]) -> str:
    """The name of a block that is no pack."""
    return f"part-{digests.of_json(list(image_ids))[:16]}"


def runs(known: Known, image_ids: Sequence[str]) -> Iterator[Run]:
    """Where the pixels of prepared images are, in the order asked for."""
    if not image_ids:
        return
    where = known.table.loc[list(image_ids), ["block", "row"]].to_numpy(np.int64)
    follows = np.all(np.diff(where, axis=0) == (0, 1), axis=1)
    for run in np.split(where, np.flatnonzero(~follows) + 1):
        block, first = run[0]
        yield Run(known.folders[block], int(first), len(run))


def sweep(home: Path, kept: Path) -> None:
    """Remove the blocks whose images are all in `kept`, and what killed processes left behind."""
    held = _image_ids(kept)
    for folder in _folders(home):
        if folder != kept and pc.all(pc.is_in(_image_ids(folder), held), min_count=0).as_py():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in home.glob(f"{DRAFT}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(DRAFT).partition("-")[0])):
            shutil.rmtree(folder, ignore_errors=True)


def _image_ids(folder: Path) -> pa.ChunkedArray:
    return pq.read_table(folder / TABLE, columns=["image_id"])["image_id"].cast(pa.string())


def _folders(home: Path) -> list[Path]:
    return sorted(table.parent for table in home.glob(f"[!.]*/{TABLE}"))
