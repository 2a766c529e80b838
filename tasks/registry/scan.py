"""Nothing is recorded in which a known identifier of the source occurs.

Files are opened as what their bytes are, archives and embedded pictures inside them too. Pixels are
not read: what is burned into a picture is the business of pull.

The finished report may also hold the words of its own templates and checklists, which cite people.
All else on it comes from values that are searched as they were before they were rendered:
parameters, files that are recorded too, and the owner's text.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.common import paths
from tasks.common.errors import PrivacyError
from tasks.common.paths import OTHERS, OWN
from tasks.evidence.own_text import own_text
from tasks.intake import cohort
from tasks.pictures import page
from tasks.privacy import identifiers
from tasks.privacy.pseudonyms import Pseudonyms, load_key

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

RENDERED = (paths.REPORT, paths.REPORT_IN_SHORT)
PNG = b"\x89PNG\r\n\x1a\n"
DATA_URI = re.compile(r"data:[\w/+.;=-]*;base64,([A-Za-z0-9+/=\s]+)")
# Weights are random bytes, of which 37 % are printable. A word of four given letters between two
# others turns up in 30 MB once in a few hundred files, which is too often for thousands of names.
# Eight given letters need (2/256)^8 = 1e-17 per byte, 20 printable ones in a row 0.37^20 = 2e-9.
# So short runs are searched for long marks only, and long runs, which are text, for all.
TEXT_LIKE = re.compile(rb"[\x20-\x7e]{20,}")
SHORT_RUN = re.compile(rb"[\x20-\x7e]{8,19}")
LONG_MARK = 8


class Scan:
    """Looks for what the source calls its patients."""

    def __init__(self, params: Params, manifest: pd.DataFrame) -> None:
        """For the data of `manifest`.

        Raises:
            PrivacyError: the key or the identifiers are not there, so nothing could be found.
        """
        self._known = set[str]()
        for place in (OWN, OTHERS) if params.evaluate.external else (OWN,):
            known = cohort.read_marks(params.deid.key_id, place)
            if known is None:
                raise PrivacyError(
                    f"required: {place.identifiers}, by which a patient's name is found before it "
                    "is published; received: none that was made with the key of deid.key_id. "
                    f"`python -m tasks.pull` writes it, `dvc checkout {place.version}` brings it "
                    "back"
                )
            self._known |= known
        self._pseudonyms = Pseudonyms(load_key(params))
        self._vocabulary = identifiers.vocabulary(params, manifest)
        own = f"{page.own_text()}\n{own_text()}"
        self._of_page = self._vocabulary | identifiers.words_of(own)
        self._looked_up: dict[str, bool] = {}

    def check(self, values: Mapping[str, Any], files: Iterable[Path]) -> None:
        """Hold what is about to be recorded, values by what they are called, and files.

        Raises:
            PrivacyError: an identifier occurs; the message names where, not what.
        """
        allowed = self._vocabulary
        places = [what for what, value in values.items() if self._occurs(_of_tree(value), allowed)]
        for file in files:
            if self._occurs(identifiers.of_text(file.as_posix()), allowed):
                places.append(f"the name of a file in {_named(file)}")
            own = self._of_page if file in RENDERED else allowed
            if self._occurs(of_bytes(file.read_bytes()), own):
                places.append(str(file))
        if places:
            listed = "\n".join(f"  {place}" for place in dict.fromkeys(places))
            raise PrivacyError(
                "nothing was recorded: a name or number by which the source knows a patient, a "
                f"person or a place stands in\n{listed}\nRemove it there, or where it comes from: "
                "names of classes, values of pull.slices, texts in gx/, report.title, words of "
                f"{paths.OWNER}. Then `dvc repro`"
            )

    def _occurs(self, marks: set[str], allowed: Collection[str]) -> bool:
        return any(self._is_known(m) for m in identifiers.without(marks, allowed))

    def _is_known(self, mark: str) -> bool:
        if mark not in self._looked_up:
            self._looked_up[mark] = self._pseudonyms.identifier(mark) in self._known
        return self._looked_up[mark]


def _named(file: Path) -> str:
    """The folder of the project that a file lies in, which is named by the project."""
    return str(Path(*file.parts[:2])) if len(file.parts) > 2 else str(file.parent)


def of_bytes(content: bytes) -> set[str]:
    """The marks of a file."""
    for begins, reader in READERS.items():
        if content.startswith(begins):
            try:
                return reader(content)
            except (OSError, ValueError, zipfile.BadZipFile, zlib.error):
                break  # it only began like one
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return _of_binary(content)
    return _of_binary(content) if "\0" in text else _of_text(text)


def _of_text(text: str) -> set[str]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _of_tree(json.loads(text))
        except ValueError:
            pass
    marks: set[str] = set()
    for found in DATA_URI.finditer(text):
        try:
            marks |= of_bytes(base64.b64decode(found[1]))
        except binascii.Error:
            marks |= identifiers.of_text(found[1])
    return marks | identifiers.of_text(DATA_URI.sub(" ", text))


def _of_tree(value: Any) -> set[str]:
    """The marks of the texts in nested values. Numbers are measurements: ids are texts here."""
    return identifiers.of_text("\n".join(dict.fromkeys(_texts(value))))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _texts(inner)


def _of_binary(content: bytes) -> set[str]:
    marks = identifiers.of_text(_joined(TEXT_LIKE.findall(content)))
    short = identifiers.of_text(_joined(SHORT_RUN.findall(content)))
    return marks | {mark for mark in short if len(mark) >= LONG_MARK}


def _joined(runs: list[bytes]) -> str:
    return b"\n".join(dict.fromkeys(runs)).decode("ascii")


def _of_zip(content: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        marks = identifiers.of_text("\n".join(archive.namelist()))
        return marks.union(*(of_bytes(archive.read(name)) for name in archive.namelist()))


def _of_gzip(content: bytes) -> set[str]:
    return of_bytes(gzip.decompress(content))


def _of_parquet(content: bytes) -> set[str]:
    table = pd.read_parquet(io.BytesIO(content))
    names: list[str] = list(table.select_dtypes("str").columns)
    texts = [table[name].dropna().unique().tolist() for name in names]
    return _of_tree([list(table.columns), texts, table.attrs])


def _of_png(content: bytes) -> set[str]:
    """The marks of all but the pixels."""
    at, marks = len(PNG), set[str]()
    while at + 8 <= len(content):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body = content[at + 8 : at + 8 + length]
        if kind in (b"zTXt", b"iTXt"):
            marks |= _of_compressed_text(body)
        if kind not in (b"IDAT", b"IHDR", b"PLTE"):
            marks |= identifiers.of_text(body.decode("utf-8", "replace"))
        at += 12 + length
    return marks | identifiers.of_text(content[at:].decode("utf-8", "replace"))


def _of_compressed_text(body: bytes) -> set[str]:
    start = body.find(b"\x78")  # where a zlib stream may begin
    while start >= 0:
        try:
            return of_bytes(zlib.decompressobj().decompress(body[start:]))
        except zlib.error:
            start = body.find(b"\x78", start + 1)
    return set()


READERS: Mapping[bytes, Callable[[bytes], set[str]]] = {
    b"PK\x03\x04": _of_zip,
    b"\x1f\x8b": _of_gzip,
    b"PAR1": _of_parquet,
    PNG: _of_png,
}
