"""Files put in place at once, JSON and CSV whose bytes repeat, and folders that are made anew."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# How a cell begins that a spreadsheet may run (OWASP, CSV Injection), and one that is a number.
FORMULA = re.compile(r"[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def replace(path: Path, write: Callable[[Path], object], lasting: bool = False) -> None:
    """Put a file in place at once: `write` makes a draft beside it, which then takes its name.

    Whoever reads meanwhile, and whoever is killed, has the file before or the new one, whole.

    Args:
        path: the file; folders above it are made.
        write: makes the draft at the path that it is given, `.<name>.<process>`.
        lasting: the new content is on the disk when this returns, even if the power fails then.

    Raises:
        OSError: the disk is full or cannot be written; the draft is gone, the file what it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(draft)
        if lasting:
            _flush(draft)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str, lasting: bool = False) -> None:
    """Put a text in place at once, as UTF-8; errors as in `replace`."""
    replace(path, lambda draft: draft.write_text(text, encoding="utf-8"), lasting)


def write_private(path: Path, text: str) -> None:
    """Put a text in place at once that only its owner may read; what is no UTF-8, as a name of a
    file may be, in escapes. Errors as in `replace`.
    """

    def write(draft: Path) -> None:
        draft.touch(mode=0o600)
        draft.chmod(0o600)  # a killed process of the same number may have left another
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")

    replace(path, write)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in their order; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, table: pd.DataFrame, float_format: str | None = None) -> None:
    """Write a table without its index for whoever opens it in a spreadsheet: text that would be a
    formula there, in cells and header, begins with an apostrophe; errors as in `replace`.
    """
    write_csv_parts(path, [table], float_format)


def write_csv_parts(
    path: Path, parts: Iterable[pd.DataFrame], float_format: str | None = None
) -> None:
    """Write one table whose rows come in parts, as `write_csv` does."""

    def write(draft: Path) -> None:
        with draft.open("w", encoding="utf-8", newline="") as file:
            for number, part in enumerate(parts):
                safe = part.map(_as_text).rename(columns=_as_text)
                safe.to_csv(
                    file,
                    index=False,
                    header=number == 0,
                    float_format=float_format,
                    lineterminator="\n",
                )

    replace(path, write)


def _as_text(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    marked = FORMULA.match(cell) and not NUMBER.fullmatch(cell)
    text = cell.replace("\r", "\n")  # pandas puts the second in quotes alone; both end a row
    return f"'{text}" if marked else text


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_memo(path: Path) -> dict[str, Any]:
    """The object of a JSON file that can be done without: empty if there is none, or if the file is
    torn or somebody else's.
    """
    try:
        known = read_json(path)
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def fresh_folder(path: Path) -> Path:
    """An empty folder at `path`, whatever was there before.

    Raises:
        OSError: what was there cannot be removed, or no folder be made.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    return path
