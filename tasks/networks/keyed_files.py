"""What the state folder keeps under keys: made by one process at a time; the oldest make room."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def alone(folder: Path, key: str) -> Iterator[None]:
    """Be the only process that makes what `key` names; wait while another one does. A kill frees
    it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.lock"
    while True:
        with path.open("w") as lock:
            _take(lock)
            if not _is_at(path, lock):  # who had it has removed it since
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def make_room(folder: Path, kept: int) -> None:
    """Keep the keys of `folder` that were used last, with no more than `kept` files, and the last.

    The files of one key, drafts included, go together: one without the others is of no use.
    """
    files = _last_used_first(folder)
    used = [_key(file) for file in files]
    room = kept
    for key in dict.fromkeys(used):
        room -= used.count(key)
        if room < 0 and key != used[0]:
            _drop(folder, key)


def size(folder: Path, spared: Collection[str]) -> int:
    """Bytes of the files of all keys that are not spared."""
    return sum(_stat(file).st_size for file in _files(folder) if _key(file) not in spared)


def drop_oldest(folder: Path, spared: Collection[str]) -> bool:
    """Remove what was used the longest ago, unless all is spared or in the making: then false."""
    for key in dict.fromkeys(_key(file) for file in reversed(_last_used_first(folder))):
        if key not in spared and _drop(folder, key):
            return True
    return False


def _take(lock: IO[Any]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Waiting for another run that computes the same", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def _is_at(path: Path, lock: IO[Any]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(lock.fileno()))
    except FileNotFoundError:
        return False


def _drop(folder: Path, key: str) -> bool:
    """Remove all files of a key, unless a process is making them, and let none begin meanwhile."""
    path = folder / f"{key}.lock"
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not _is_at(path, lock):  # another run has taken the key since
            return False
        for file in _files(folder):
            if _key(file) == key:
                file.unlink(missing_ok=True)
    return True


def _last_used_first(folder: Path) -> list[Path]:
    return sorted(_files(folder), key=lambda file: _stat(file).st_mtime, reverse=True)


def _files(folder: Path) -> list[Path]:
    """Without folders: nothing here makes one."""
    return [file for file in folder.glob("*") if not file.is_dir()]


def _stat(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except FileNotFoundError:  # another run has made room
        return os.stat_result([0] * 10)


def _key(file: Path) -> str:
    return file.name.lstrip(".").partition(".")[0]  # the name of a draft begins with a dot
