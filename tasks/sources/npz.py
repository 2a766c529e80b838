"""The arrays of an `.npz`, large ones row by row without ever holding them whole."""

from __future__ import annotations

import zipfile
import zlib
from errno import EIO
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

BLOCK_BYTES = 8 << 20
KEPT_BLOCKS = 2  # readers that work side by side are a little before and behind one another


class Rows:
    """The rows of the array `name` in `file`, unpacked forward as they are asked for.

    Rows asked for in order cost one pass over the file; going back by more than the blocks kept
    begins a new pass. Safe to share between threads, and to send to another process.

    Attributes:
        shape: of the whole array.
        dtype: of its values.
    """

    def __init__(self, file: Path, name: str) -> None:
        """Read the array's header.

        Raises:
            KeyError: the file has no such array.
            ValueError: it holds objects or is in Fortran order.
            zipfile.BadZipFile: the file is no `.npz`.
        """
        self.file, self.member = file, f"{name}.npy"
        with zipfile.ZipFile(file) as archive, archive.open(self.member) as stream:
            self.shape, self.dtype = _read_header(stream)
        row_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        self.rows_a_block = max(1, BLOCK_BYTES // max(1, row_bytes))
        self._start()

    def _start(self) -> None:
        self._lock = Lock()
        self._stream: IO[bytes] | None = None
        self._next = 0  # block that the stream stands before
        self._blocks: dict[int, NDArray[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {k: value for k, value in vars(self).items() if not k.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def row(self, index: int) -> NDArray[Any]:
        """One row of the array.

        Raises:
            OSError: the file is damaged.
        """
        number, offset = divmod(index, self.rows_a_block)
        with self._lock:
            while number not in self._blocks:
                self._unpack(number)
            row: NDArray[Any] = self._blocks[number][offset]
            return row

    def _unpack(self, wanted: int) -> None:
        if self._stream is None or wanted < self._next:
            archive = zipfile.ZipFile(self.file)
            self._stream = archive.open(self.member)
            _read_header(self._stream)
            self._next = 0
        rows = min(self.rows_a_block, self.shape[0] - self._next * self.rows_a_block)
        shape = (rows, *self.shape[1:])
        size = int(np.prod(shape)) * self.dtype.itemsize
        try:
            content = self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            content = b""
        if len(content) < size:
            raise OSError(EIO, "the .npz is damaged")
        self._blocks[self._next] = np.frombuffer(content, self.dtype).reshape(shape)
        self._next += 1
        while len(self._blocks) > KEPT_BLOCKS:
            del self._blocks[next(iter(self._blocks))]


def read_array(file: Path, name: str) -> NDArray[Any]:
    """The whole array `name`; errors as in `Rows`."""
    with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return array


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if fortran or dtype.hasobject:
        raise ValueError("an array in Fortran order or of Python objects")
    return shape, dtype
