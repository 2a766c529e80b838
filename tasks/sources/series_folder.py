"""One downloaded series as a folder: unpacked, checked, and there only when whole."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.uid import UID

from tasks.sources.transfer import CHUNK, AttemptError
from tasks.sources.tree import RECEIPT

DIGESTS = "md5hashes.csv"  # the server writes it last, so without it a zip is not whole
DIGESTS_BYTES = 1 << 26


def unpack(archive: Path, folder: Path, images: int, limit: int) -> None:
    """Unpack the files of a zip that its md5hashes.csv names, each held to its digest.

    Other members are left out. `images` is how many files there must be (0: as many as there are),
    `limit` their total in bytes at most.

    Raises:
        AttemptError: the zip is cut off, damaged, too large, misses or adds files, or one of them
            is not what its digest says or would land outside of `folder`.
    """
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as members:
            digests = _digests(members)
            if images and len(digests) != images:
                raise AttemptError(f"{len(digests)} files came of {images} that were announced")
            for name, digest in digests.items():
                limit -= _unpack_one(members, name, digest, folder, limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
        raise AttemptError("the zip is cut off or damaged") from None


def _digests(members: zipfile.ZipFile) -> dict[str, str]:
    names = members.namelist()
    if DIGESTS not in names:
        raise AttemptError(f"the zip holds no {DIGESTS}, so it is not whole")
    if members.getinfo(DIGESTS).file_size > DIGESTS_BYTES:
        raise AttemptError(f"{DIGESTS} is too large to be one")
    text = members.read(DIGESTS).decode("utf-8-sig", errors="replace")
    rows = list(csv.DictReader(io.StringIO(text)))
    digests = {str(row.get("Filename")): str(row.get("MD5Hash")).lower() for row in rows}
    if not digests or len(digests) < len(rows) or not digests.keys() <= set(names):
        raise AttemptError(f"{DIGESTS} names no files, one twice, or one that is not in the zip")
    if any(not _is_plain(name) for name in names):
        raise AttemptError("the zip holds a path that leads out of its folder")
    return digests


def _is_plain(name: str) -> bool:
    """A file's name alone: NBIA writes `00000001.dcm`."""
    return not name.startswith(".") and not any(character in name for character in "/\\:\0")


def _unpack_one(members: zipfile.ZipFile, name: str, digest: str, folder: Path, limit: int) -> int:
    """Write one file and give its size."""
    with members.open(name) as source, (folder / name).open("wb") as target:
        size, found = _copy(source, target, limit)  # type: ignore[arg-type]
    if found != digest:
        raise AttemptError("the md5 of a file is not the one the server gave")
    return size


def _copy(source: BinaryIO, target: BinaryIO, limit: int) -> tuple[int, str]:
    """Size and md5. Bytes are counted as they come: what a zip says of its sizes may be a lie."""
    size, md5 = 0, hashlib.md5(usedforsecurity=False)
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > limit:
            raise AttemptError("the zip unpacks to far more than was announced")
        md5.update(chunk)
        target.write(chunk)
    return size, md5.hexdigest()


def name_by_instance(folder: Path) -> None:
    """Name files by their SOPInstanceUID: the server numbers them anew with each download, and a
    source must know its files by the same name at every pull.
    """
    for file in sorted(folder.iterdir()):
        try:
            uid = str(
                dcmread(file, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).get(
                    "SOPInstanceUID"
                )
            )
        except Exception:  # pydicom raises almost anything; pull will say what is wrong with it
            continue
        named = folder / f"{uid}.dcm"
        if UID(uid).is_valid and not named.exists():
            file.rename(named)


def settle(draft: Path, folder: Path) -> None:
    """Give the checked `draft` its place in one step; an older folder there goes."""
    # The receipt tells the size in bytes of each file.
    (draft / RECEIPT).write_text(json.dumps(_sizes(draft)), encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)
    draft.rename(folder)


def is_whole(folder: Path, images: int) -> bool:
    """Whether every file that came is still there in its size, `images` of them (0: any number)."""
    try:
        sizes = json.loads((folder / RECEIPT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(sizes == _sizes(folder)) and images in (0, len(sizes))


def measure(folder: Path) -> tuple[int, int]:
    """Number of files and their bytes; nothing where there is no such folder."""
    sizes = _sizes(folder) if folder.is_dir() else {}
    return len(sizes), sum(sizes.values())


def _sizes(folder: Path) -> dict[str, int]:
    files = (file for file in sorted(folder.iterdir()) if file.name != RECEIPT)
    return {file.name: file.stat().st_size for file in files}
