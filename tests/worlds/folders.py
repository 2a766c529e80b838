"""Folders and tables of labels, as small as they get."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.common.params.pull import Pull
from worlds import sources


def pull_of(path: Path, slices: tuple[str, ...] = (), exclude: Sequence[str] = ()) -> Pull:
    """Settings of a pull of a folder, a table or an archive."""
    return sources.pull_of("folder", path, slices=list(slices), exclude=list(exclude))


def grow(root: Path, *files: str) -> Path:
    """Write files that hold their names; returns their root."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(file.encode())
    return root


def table(root: Path, text: str, *files: str) -> Path:
    """Write files and a table of their labels; returns the table."""
    grow(root, *files)
    (root / "labels.csv").write_text(text, encoding="utf-8")
    return root / "labels.csv"
