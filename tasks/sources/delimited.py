"""The text of a CSV as a table whose index is the line of each row, as an editor counts them.

Separated by commas, semicolons or tabs, in UTF-8 or, as spreadsheets export it, UTF-16 with its
mark; as it is or packed by gzip, bzip2 or xz. A row of empty cells is none. No message quotes what
is in the file or how it is called.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from tasks.common.errors import SourceError

SEPARATORS = (",", ";", "\t")  # not the one that joins labels
PACKED: Mapping[str, Callable[[Path], io.BufferedIOBase]] = {
    ".gz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
SHOWN = 10  # lines of one problem that a message spells out
EXPORT = "in a spreadsheet, export it as CSV UTF-8"


def read(path: Path, what: str, fits: Callable[[Sequence[str]], bool]) -> pd.DataFrame:
    """The cells of a CSV as text without blanks around them; its columns are called as in the
    header, where one name may stand twice.

    The line of a row is the one it begins in: a cell in quotes may go over several.

    Args:
        path: the file.
        what: how a message calls it.
        fits: whether a header has the columns that are needed, by which the separator is found.

    Raises:
        SourceError: it cannot be read, is no text, has no header or cells that have none.
    """
    text = _text(path, what)
    separators = sorted(SEPARATORS, key=lambda each: _suits(text, each, fits), reverse=True)
    rows = dict(_rows(text, separators[0], what))
    if not rows:
        raise SourceError(f"{what} is empty; required: a header and rows below it")
    header = rows.pop(next(iter(rows)))
    wide = [line for line, cells in rows.items() if any(cells[len(header) :])]
    if wide and fits(header):  # else the header is what is wrong
        raise SourceError(
            f"{what} has more cells than its header in {spell_lines(wide)}: put a cell with a "
            "separator in it in quotes"
        )
    for cells in rows.values():
        cells[:] = cells[: len(header)] + [""] * (len(header) - len(cells))
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=header, dtype=object)


def spell_lines(lines: Sequence[int]) -> str:
    """The first few lines, and how many more there are."""
    more = f" and {len(lines) - SHOWN:,} more" if len(lines) > SHOWN else ""
    return f"line {', '.join(map(str, lines[:SHOWN]))}{more}"


def _text(path: Path, what: str) -> str:
    content = _content(path, what)
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = len((content[: error.start] + b".").splitlines())
        raise SourceError(
            f"{what} must be text in UTF-8 or UTF-16; line {line} of it is not: {EXPORT}"
        ) from None
    if "\0" in text:
        raise SourceError(f"{what} must be text; it holds zero bytes: {EXPORT}")
    return text


def _content(path: Path, what: str) -> bytes:
    unpack = PACKED.get(path.suffix.lower())
    try:
        with unpack(path) if unpack else path.open("rb") as file:
            return file.read()
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        system = error.strerror if isinstance(error, OSError) else None
        why = system or f"it is not what {path.suffix.lower()} says, damaged or cut short"
        raise SourceError(f"{what} cannot be read ({why}): fix it, or export it anew") from None


def _suits(text: str, separator: str, fits: Callable[[Sequence[str]], bool]) -> tuple[bool, int]:
    """By what one separator is a better one: the columns that are needed, then their number."""
    with suppress(SourceError):
        for _, header in _rows(text, separator, ""):
            return fits(header), len(header)
    return False, 0


def _rows(text: str, separator: str, what: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line that it begins in."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    while True:
        line = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error:
            raise SourceError(
                f"{what} cannot be read as a CSV from line {line} on: a quote opens a cell there "
                'and does not close it; one inside a cell is written ""'
            ) from None
        if any(cells):
            yield line, cells
