"""A `.zip`, `.tar`, `.tar.gz` or `.tgz` unpacked into a folder of its own, nothing in it trusted.

It is refused whole at the first member that reaches outside, is a link or a device, or at a size
past the limit. Archives inside it stay closed.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from tasks.common import digests
from tasks.common.errors import SourceError
from tasks.common.paths import StateEntry
from tasks.common.progress import progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
OTHERS = (  # archives that are not read
    *(f".tar.{packing}" for packing in ("bz2", "xz", "zst", "lzma", "lz4", "z")),
    *(".tbz", ".tbz2", ".txz", ".tzst", ".7z", ".rar"),
)
MOST_MEMBERS = 1_000_000
SPARE = 2 * 1024**3  # bytes of the disk that stay free
RATIO = 100  # unpacked to packed: DICOM and tables come to a tenth of it, a bomb to a thousand
SMALL = 256 * 1024**2  # bytes that may come out however well they were packed
CHUNK = 1024**2  # bytes copied at once
LONGEST_READ = 16 * 1024**2  # bytes; tarfile reads a whole extended header into memory
GZIP = b"\x1f\x8b"
BLOCK = 512  # bytes; blocks of zeros end a whole tar
DRIVE = re.compile(r"[A-Za-z]:")
ARCHIVE = "the archive"  # its own name may identify
FIX = "unpack it yourself and name the folder in its place"


@dataclass(frozen=True)
class Member:
    """One entry of an archive; `kind` is file, folder, or what else it is in words."""

    name: str
    kind: str
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether the name says so; not every one can be unpacked."""
    return path.name.lower().endswith((*SUFFIXES, *OTHERS))


def unpack(archive: Path) -> Path:
    """The folder with what `archive` holds, unpacked once for its path, size and time of change.

    It stands under `StateEntry.DOWNLOADS`, readable by its owner alone: it may identify as much as
    the archive. Copies of an earlier state of the archive are removed.

    The unpacked size is limited to the free disk less `SPARE`, and to `RATIO` times the packed
    size or `SMALL`, whichever is more.

    Raises:
        SourceError: the archive is of a kind that is not read, damaged, cut short, encrypted, too
            large, or has a member that is not allowed, named by its number alone; nothing of it is
            kept.
    """
    if archive.name.lower().endswith(OTHERS):
        raise SourceError(
            f"{ARCHIVE} is of a kind that is not read; required: "
            f"{', '.join(SUFFIXES)}: pack it so, or {FIX}"
        )
    status = archive.stat()
    home = StateEntry.DOWNLOADS.path / "archives" / digests.of_json(str(archive.resolve()))[:16]
    folder = home / digests.of_json([status.st_size, status.st_mtime_ns])[:16]
    if folder.is_dir():
        return folder
    shutil.rmtree(home, ignore_errors=True)
    draft = home / f".{folder.name}.{os.getpid()}"
    draft.parent.mkdir(parents=True)
    draft.mkdir(mode=0o700)
    try:
        _unpack(archive, draft, status.st_size)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return draft.rename(folder)


def _unpack(archive: Path, draft: Path, packed: int) -> None:
    room = shutil.disk_usage(draft).free - SPARE
    limit = min(room, max(SMALL, RATIO * packed))
    members = _zip if archive.name.lower().endswith(".zip") else _tar
    try:
        for number, member in enumerate(members(archive, limit), start=1):
            if number > MOST_MEMBERS:
                raise SourceError(f"{ARCHIVE} holds more than {MOST_MEMBERS:,} members: {FIX}")
            _write(member, draft, f"{ARCHIVE}: member {number}")
    except SourceError:
        raise
    except Exception as error:  # a damaged archive fails in any way, and messages quote names
        system = error.strerror if isinstance(error, OSError) else None
        why = system or f"it is damaged or cut short: {type(error).__name__}"
        raise SourceError(
            f"{ARCHIVE} cannot be unpacked ({why}): fetch it anew, or {FIX}"
        ) from None


def _write(member: Member, draft: Path, what: str) -> None:
    """Write one member under `draft`; `what` names it in an error."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or DRIVE.match(member.name):
        raise SourceError(f"{what} has a path that leads outside the archive: {FIX}")
    if member.kind not in ("file", "folder"):
        raise SourceError(f"{what} is {member.kind}; required: files and folders: {FIX}")
    target = draft / path
    if member.kind == "folder":
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file, member.open() as content:
        shutil.copyfileobj(content, file, CHUNK)


def _fits(size: int, limit: int) -> None:
    if size > limit:
        raise SourceError(
            f"{ARCHIVE} unpacks to more than {max(limit, 0) / 1e9:.1f} GB, which is what the disk "
            f"has free, or {RATIO} times its own size: make room, or {FIX}"
        )


def _zip(archive: Path, limit: int) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if any(info.flag_bits & 1 for info in members):
            raise SourceError(f"{ARCHIVE} is encrypted: {FIX}")
        _fits(sum(info.file_size for info in members), limit)  # no more is read of each
        for info in progress(members, "Unpacking"):
            kind = "folder" if info.is_dir() else _kind(info.external_attr >> 16)
            yield Member(info.filename, kind, partial(opened.open, info))


def _kind(mode: int) -> str:
    """What the Unix mode of a zip's member says; other systems leave it 0."""
    if stat.S_ISLNK(mode):
        return "a link"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "a special file"


def _tar(archive: Path, limit: int) -> Iterator[Member]:
    with ExitStack() as stack:
        file = stack.enter_context(archive.open("rb"))
        packed = file.read(2) == GZIP
        file.seek(0)
        stream = stack.enter_context(gzip.GzipFile(fileobj=file)) if packed else file
        guarded = _Guarded(stream, lambda position: _fits(position, limit))
        with tarfile.open(fileobj=guarded, mode="r:") as opened:
            for info in opened:
                _fits(info.offset_data + info.size, limit)
                kind = "file" if info.isreg() and not info.issparse() else "a special file"
                kind = "folder" if info.isdir() else kind
                kind = "a link" if info.issym() or info.islnk() else kind
                yield Member(info.name, kind, partial(_content, opened, info))
        if guarded.last != bytes(BLOCK):  # tarfile takes a broken header for the end
            raise tarfile.ReadError
        while guarded.read(CHUNK):  # gzip's own check stands at its end
            pass


def _content(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = opened.extractfile(info)
    if content is None:
        raise tarfile.ReadError
    return content


class _Guarded(io.RawIOBase):
    """A stream for tarfile that is read no further than a limit and never much at once."""

    def __init__(self, stream: io.BufferedIOBase, check: Callable[[int], None]) -> None:
        """`check` gets the position after each read."""
        self._stream, self._check = stream, check
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes; they stay in `last`."""
        if not 0 <= size <= LONGEST_READ:
            raise tarfile.ReadError
        self.last = self._stream.read(size)
        self._check(self._stream.tell())
        return self.last

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of the stream."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """As of the stream."""
        return self._stream.tell()

    def seekable(self) -> bool:
        """As tarfile needs it."""
        return True
