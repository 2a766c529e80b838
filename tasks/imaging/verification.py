"""Whether stored pixels are those that were prepared: each image is held to its own digest.

What a failing disk or a loss of power leaves, such as a hole of zeros, is pixels like any others.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from tasks.imaging.batching import cores

AT_ONCE = 1 << 22  # bytes that a thread reads
PARTS = 4  # per core: the last one to end keeps no other waiting for long
_found: dict[tuple[int, ...], NDArray[np.int64]] = {}  # by what tells one state of a file


def read_header(file: BinaryIO) -> tuple[int, ...]:
    """The shape that a `.npy` file of pixels says it has; what follows is the pixels.

    Raises:
        ValueError: it is none.
    """
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != np.uint8:
        raise ValueError("not of pixels")
    return tuple(shape)


def damaged_rows(file: Path, digests: Sequence[str]) -> NDArray[np.int64]:
    """The rows of a `.npy` file of images that are not what they were. A file that stays as it is
    is read once per process.

    Args:
        file: of `(N, H, W, C)` uint8.
        digests: BLAKE3 of the bytes of each image in hexadecimal, by row.
    """
    try:
        status = file.stat()
    except FileNotFoundError:
        return np.arange(len(digests))
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, hash(tuple(digests)))
    if state not in _found:
        _found[state] = _read_through(file, digests)
    return _found[state]


def _read_through(file: Path, digests: Sequence[str]) -> NDArray[np.int64]:
    try:
        with file.open("rb") as opened:
            size, begin = prod(read_header(opened)[1:]), opened.tell()
    except (ValueError, EOFError):
        return np.arange(len(digests))
    edges = np.linspace(0, len(digests), PARTS * cores() + 1).astype(int).tolist()

    def look(first: int, end: int) -> list[int]:
        return _damaged_between(file, begin, size, first, digests[first:end])

    with ThreadPoolExecutor(cores()) as pool:
        found = [row for rows in pool.map(look, edges[:-1], edges[1:]) for row in rows]
    return np.array(found, np.int64)


def _damaged_between(
    file: Path, begin: int, size: int, first: int, digests: Sequence[str]
) -> list[int]:
    """Of the images from row `first` on, as many as there are digests."""
    damaged, step = [], max(AT_ONCE // size, 1)
    with file.open("rb", buffering=0) as opened:
        for start in range(0, len(digests), step):
            expected = digests[start : start + step]
            opened.seek(begin + (first + start) * size)
            content = memoryview(_content(opened, len(expected) * size))
            for k, digest in enumerate(expected):
                if blake3(content[k * size : (k + 1) * size]).hexdigest() != digest:
                    damaged.append(first + start + k)
    return damaged


def _content(file: BinaryIO, size: int) -> bytes:
    """What the disk gives; nothing where it gives an error, which then counts as damage."""
    try:
        return file.read(size)
    except OSError:
        return b""
