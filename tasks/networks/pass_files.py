"""The files of one pass: activations written batch by batch, and found again whole or not at all.

A mark tells how many batches the drafts hold, so that a pass that was killed goes on where it
stopped. Behind its array a file has the digest of what was written: what a failing disk or a loss
of power leaves is activations like any others.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from tasks.common import documents
from tasks.common.errors import TrainingError
from tasks.common.paths import StateEntry
from tasks.networks import keyed_files

Activations = NDArray[np.float16]
Mapped = np.memmap[Any, np.dtype[np.float16]]
KEPT = 12  # files; older passes make room
SHARE_OF_DISK = 0.5  # of the free disk that one pass may fill
AT_ONCE = 1 << 22  # bytes read at a time
_in_use: WeakValueDictionary[tuple[str, int], Activations] = WeakValueDictionary()  # key and id


class NoRoomError(TrainingError):
    """The activations of a pass would fill too much of the disk."""


class PassFiles:
    """The activations of one pass, in the state folder under its key. To be used by one process at
    a time: within `kept.alone`.
    """

    def __init__(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Of activations `(V * N, ...)` before each of the layers that `shapes` names."""
        self.folder, self._key = StateEntry.PREFIX.path, key
        self._shapes = list(shapes.values())
        self._files = [self.folder / f"{key}.{layer}.npy" for layer in shapes]
        self._drafts = [file.with_suffix(".draft") for file in self._files]
        self._mark, self._layers = self.folder / f"{key}.mark", list(shapes)
        self._stores: list[Mapped] = []
        self._hashed = [_new_hash() for _ in shapes]  # of what the drafts hold
        self._rows = 0

    def find(self) -> list[Activations] | None:
        """What is stored of each layer; None where any is missing or damaged."""
        found = [
            _read_whole(file, shape) for file, shape in zip(self._files, self._shapes, strict=True)
        ]
        whole = [activations for activations in found if activations is not None]
        return self._used(whole) if len(whole) == len(found) else None

    def begin(self, spare: int) -> int:
        """Take up the drafts of a pass that was killed, or make new ones; how many batches they
        hold.

        Raises:
            NoRoomError: with `spare` more bytes they would fill more than half of the free disk,
                even if all older passes made room.
        """
        done = self._done()
        if done == 0:
            self._hashed, self._rows = [_new_hash() for _ in self._shapes], 0
            self._mark.unlink(missing_ok=True)  # it would count what the new drafts do not hold
            self._make(spare)
        self._stores = [np.lib.format.open_memmap(draft, mode="r+") for draft in self._drafts]
        return done

    def write(self, rows: slice, outputs: Sequence[Activations]) -> None:
        """Put the activations of some rows, those that follow what the drafts hold, into them."""
        for store, hashed, output in zip(self._stores, self._hashed, outputs, strict=True):
            stored = np.ascontiguousarray(output, np.float16)
            store[rows] = stored
            hashed.update(stored.reshape(-1).view(np.uint8).data)
        self._rows = rows.stop

    def mark(self, batches: int) -> None:
        """Note that the drafts hold so many batches."""
        for store in self._stores:
            store.flush()
        each = [hashed.hexdigest() for hashed in self._hashed]
        mark = {"layers": self._layers, "batches": batches, "rows": self._rows, "digests": each}
        documents.write_json(self._mark, mark)

    def finish(self) -> list[Activations]:
        """Let what is written be found, and return it."""
        for store in self._stores:
            store.flush()
        # Before the renames: a kill between two must not leave a mark without its drafts.
        self._mark.unlink(missing_ok=True)
        for draft, file, hashed in zip(self._drafts, self._files, self._hashed, strict=True):
            with draft.open("ab") as opened:
                opened.write(hashed.digest())
            draft.replace(file)
        return self._used([np.load(file, mmap_mode="r") for file in self._files])

    def _used(self, found: list[Activations]) -> list[Activations]:
        for file, activations in zip(self._files, found, strict=True):
            file.touch()
            _in_use[self._key, id(activations)] = activations
        keyed_files.make_room(self.folder, KEPT)
        return found

    def _done(self) -> int:
        """How many batches a killed pass has stored; 0 where not all it left is whole."""
        drafts = zip(self._drafts, self._shapes, strict=True)
        found = [_read(draft, shape) for draft, shape in drafts]
        whole = [activations for activations in found if activations is not None]
        if len(whole) < len(found):
            return 0
        try:
            marked = documents.read_json(self._mark)
            self._rows = int(marked["rows"])
            files = zip(self._drafts, whole, strict=True)
            self._hashed = [_hash(file, draft, self._rows) for file, draft in files]
            held = [hashed.hexdigest() for hashed in self._hashed] == marked["digests"]
            return int(marked["batches"]) if held and marked["layers"] == self._layers else 0
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return 0

    def _make(self, spare: int) -> None:
        needed = sum(size_of(shape) for shape in self._shapes)
        for draft in self._drafts:
            draft.unlink(missing_ok=True)
        self._require_room(needed + spare)
        try:
            for draft, shape in zip(self._drafts, self._shapes, strict=True):
                np.lib.format.open_memmap(draft, mode="w+", dtype=np.float16, shape=shape)
                _claim(draft)
        except OSError as error:
            for draft in self._drafts:
                draft.unlink(missing_ok=True)
            raise self._no_room(needed, error.strerror or str(error)) from error

    def _require_room(self, needed: int) -> None:
        """Let older passes make room where that is enough."""
        spared = {key for key, _ in _in_use}
        while needed > SHARE_OF_DISK * (free := shutil.disk_usage(self.folder).free):
            enough = needed <= SHARE_OF_DISK * (free + keyed_files.size(self.folder, spared))
            if not (enough and keyed_files.drop_oldest(self.folder, spared)):
                allowed = SHARE_OF_DISK * free / 1e6
                raise self._no_room(needed, f"{allowed:,.0f} MB, half of what is free")

    def _no_room(self, needed: int, received: str) -> NoRoomError:
        return NoRoomError(
            f"required: {needed / 1e6:,.0f} MB of disk for stored activations in {self.folder}; "
            f"received: {received}. Lower augment.views, choose a later fine_tune.cut_layer, or "
            "set MEDLOOP_STATE to a folder on a larger disk."
        )


def size_of(shape: Sequence[int]) -> int:
    """Bytes of stored activations of one shape."""
    return int(np.prod(shape)) * np.dtype(np.float16).itemsize


def _read(file: Path, shape: tuple[int, ...]) -> Mapped | None:
    """What a file holds; None where it is missing, damaged, or of something else."""
    try:
        found: Mapped = np.load(file, mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError):  # so does numpy say that it is damaged
        return None
    return found if found.shape == shape and found.dtype == np.float16 else None


def _read_whole(file: Path, shape: tuple[int, ...]) -> Activations | None:
    """What a file holds, and None as above, also where it is not what was written."""
    found = _read(file, shape)
    if found is not None and _hash(file, found, len(found)).digest() == _digest_in(file, found):
        return found
    if file.exists():
        print(f"{file} is damaged: its activations are computed anew", flush=True)
    return None


def _new_hash() -> blake3:
    return blake3(max_threads=blake3.AUTO)


def _hash(file: Path, activations: Mapped, rows: int) -> blake3:
    """The hash of the first rows of a file, read: a page of a mapped file that the disk cannot give
    ends the process.
    """
    hashed, left = _new_hash(), size_of((rows, *activations.shape[1:]))
    buffer = memoryview(bytearray(min(AT_ONCE, left)))
    with file.open("rb", buffering=0) as opened:
        opened.seek(activations.offset)
        try:
            while left and (count := opened.readinto(buffer[: min(AT_ONCE, left)])):
                hashed.update(buffer[:count])
                left -= count
        except OSError as error:
            if error.errno != errno.EIO:
                raise
    return hashed


def _digest_in(file: Path, activations: Mapped) -> bytes:
    """What stands behind the array."""
    with file.open("rb") as opened:
        opened.seek(activations.offset + activations.nbytes)
        return opened.read()


def _claim(draft: Path) -> None:
    """Take the disk for all of a draft: what is written to a mapped file after the disk has filled
    up ends the process.
    """
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with draft.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, draft.stat().st_size)
