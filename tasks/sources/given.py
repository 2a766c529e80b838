"""The images that a person names without labels: a file, a folder of any depth, or an archive."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.common.errors import SourceError
from tasks.sources.archive import is_archive, unpack
from tasks.sources.tree import Tree


@dataclass(frozen=True)
class Given:
    """What was named.

    Attributes:
        root: what the files' names are relative to.
        files: in the order of their paths.
        notes: what was passed by, counted.
        unpacked: the folder of an archive's content, which may identify as much as the archive.
    """

    root: Path
    files: Sequence[Path]
    notes: Sequence[str] = ()
    unpacked: Path | None = None

    def names(self) -> list[str]:
        """The files' paths; bytes that are no UTF-8 in escapes."""
        shown = (os.fsencode(file.relative_to(self.root)) for file in self.files)
        return [name.decode("utf-8", "backslashreplace") for name in shown]

    def states(self) -> list[tuple[str, int, int]]:
        """By what a file that was changed is told: name, size and time of change."""
        found = (file.stat() for file in self.files)
        return [
            (name, status.st_size, status.st_mtime_ns)
            for name, status in zip(self.names(), found, strict=True)
        ]

    def forget(self) -> None:
        """Remove what was unpacked."""
        if self.unpacked is not None:
            shutil.rmtree(self.unpacked)


def find(path: Path, apart_from: Path) -> Given:
    """The files that `path` names, whatever they hold, less those hidden or a system's own.

    Args:
        path: of a file, a folder or an archive; archives in folders stay closed.
        apart_from: a file that does not count wherever it lies.

    Raises:
        SourceError: nothing is there, it cannot be read, or the archive is refused.
    """
    if path.is_file() and not is_archive(path):
        return Given(path.parent, [path])
    unpacked = unpack(path) if path.is_file() else None
    tree = Tree(unpacked or path, [])
    try:
        files = [file for file in tree.files(tree.root) if file.resolve() != apart_from.resolve()]
    except OSError as error:
        raise SourceError(
            f"required: images to predict; received: {error.strerror or type(error).__name__} "
            "where they should be: fix the path, or the rights of the folders there"
        ) from None
    if not files:
        raise SourceError(
            "required: images to predict; received: a folder or an archive without a file that "
            "is not hidden"
        )
    return Given(tree.root, files, tree.notes(), unpacked)
