"""The folder `data/raw` and its tables: what pull and withdrawal write, replace and sweep. Likewise
that of the external images, where a `place` is said.

Each file is replaced at once, so a kill leaves the one before. Files come before the table that
names them; what no row names is swept away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tasks.common import digests, documents, locks, manifest, paths
from tasks.common.errors import DataError, PrivacyError, SourceError
from tasks.common.paths import OWN, PLACES, Place
from tasks.privacy.pseudonyms import PUBLIC_KEY, key_id

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

_TABLE = "|".join(re.escape(table.name) for table in OWN.tables)
# Every name that is written here; a draft ends in the number of its process.
# The last is DVC's draft: a checkout killed on the way leaves it, and must not bar the next pull.
NAMES = re.compile(
    rf"({_TABLE})|\.({_TABLE})\.\d+"
    r"|(?P<folder>[0-9a-f]{2})/((?P=folder)[0-9a-f]{62}(\.mask)?\.[a-z]+"
    r"|\.(?P=folder)[0-9a-f]{62}(\.mask)?\.[a-z]+\.\d+)"
    r"|([0-9a-f]{2}/)?[^/]*\.[\w-]{22}\.tmp"
)


@contextmanager
def only_writer() -> Iterator[None]:
    """Be the one process that changes `data/raw`: another would sweep away what this one writes.

    Raises:
        DataError: another process does.
    """
    try:
        with locks.held(paths.StateEntry.RAW_LOCK.path):
            yield
    except locks.HeldError as holder:
        raise DataError(
            f"another pull or withdrawal works in this workspace ({holder}): wait for its end, "
            "then run the same again"
        ) from None


def is_own(file: Path, place: Place = OWN) -> bool:
    """Whether a file under `data/raw` has a name that is given here."""
    return NAMES.fullmatch(file.relative_to(place.folder).as_posix()) is not None


def guard(pull: Pull, place: Place = OWN) -> None:
    """Refuse to work in `data/raw` while it holds files of a person: a restore would delete them.

    Raises:
        SourceError: it does, or it is named as the source.
    """
    folder, path = place.folder, pull.path
    files = (file for file in folder.rglob("*") if file.is_symlink() or not file.is_dir())
    foreign = sum(not is_own(file, place) for file in files)
    inside = path and Path(path).expanduser().resolve().is_relative_to(folder.resolve())
    if foreign or (inside and pull.source != "phantom"):
        what = f"holds {foreign:,} files that pull did not write" if foreign else "is the source"
        raise SourceError(
            f"{folder} {what}: {folder} is made by pull; move your own files elsewhere and "
            "set pull.path to that folder"
        )


def read(key: str, place: Place = OWN) -> pd.DataFrame:
    """The cohort so far. The phantom's is given up for images of one's own: it can be drawn again.

    Raises:
        PrivacyError: it was pulled with another key.
    """
    if not place.cohort.exists():
        return pd.DataFrame(columns=list(manifest.COHORT))
    table = manifest.read(place.cohort, manifest.COHORT)
    before = table.attrs.get("key_id")
    if before == key:
        return table
    if before == key_id(PUBLIC_KEY):
        return table.iloc[:0]
    raise PrivacyError(
        f"{place.folder} was pulled with the key {before}, deid.key_id names {key}: one patient "
        f"would get two pseudonyms. Name the first key again, or move {place.folder} and "
        f"{place.version} away to begin anew"
    )


def present(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that stand for a file at the source."""
    return table[~table["reason"].isin(manifest.GONE)]


def stand_ins(rows: pd.DataFrame, reason: str) -> pd.DataFrame:
    """What stays in place of rows, of those in `manifest.GONE`: batch, group, label and side."""
    group = rows["patient_id"].fillna(rows["image_id"])
    kept = rows[["batch", "label", "source_split"]].assign(patient_id=group).drop_duplicates()
    drawn_by = kept.astype("object").where(kept.notna(), None).to_numpy().tolist()
    return kept.assign(
        image_id=[digests.of_json([reason, *row]) for row in drawn_by], reason=reason
    )


def joined(*parts: pd.DataFrame) -> pd.DataFrame:
    """The rows of several tables, each with the columns that it has."""
    return pd.concat([part for part in parts if len(part)] or parts[:1])


def write(table: pd.DataFrame, key: str, place: Place = OWN) -> None:
    """Replace the cohort; the key's fingerprint travels in the file."""
    table = table.copy()
    table.attrs["key_id"] = key
    replace(place.cohort, lambda draft: manifest.write(table, draft, manifest.COHORT))


def read_marks(key: str, place: Place = OWN) -> set[str] | None:
    """What `tasks.privacy.identifiers` kept under this key; None where it kept nothing."""
    if not place.identifiers.exists():
        return None
    table = pd.read_parquet(place.identifiers)
    return set(table["mark"]) if table.attrs.get("key_id") == key else None


def write_marks(marks: Iterable[str], key: str, place: Place = OWN) -> None:
    """Replace what `tasks.privacy.identifiers` kept."""
    table = pd.DataFrame({"mark": sorted(marks)}, dtype="str")
    table.attrs["key_id"] = key
    replace(place.identifiers, lambda draft: table.to_parquet(draft, index=False))


def read_withdrawn(key: str, place: Place = OWN) -> dict[str, list[str]]:
    """Pseudonyms of withdrawn patients, each with the ids of the files; `""` stands for files
    that were withdrawn by themselves.
    """
    if not place.withdrawn.exists():
        return {}
    known = documents.read_json(place.withdrawn)
    return dict(known["patients"]) if known["key_id"] == key else {}


def read_all_withdrawn(key: str) -> dict[str, list[str]]:
    """As `read_withdrawn`, of every place: who is withdrawn from one comes into none."""
    found: dict[str, list[str]] = {}
    for place in PLACES:
        for patient, files in read_withdrawn(key, place).items():
            found.setdefault(patient, []).extend(files)
    return found


def read_joined() -> dict[str, str]:
    """Groups that shared a picture since withdrawn or excluded, each with the group whose side it
    has: the picture that told so is gone, and they stay where they are.
    """
    if not paths.WITHDRAWN.exists():
        return {}
    return dict(documents.read_json(paths.WITHDRAWN).get("joined", {}))


def write_withdrawn(
    patients: Mapping[str, Collection[str]],
    joined_: Mapping[str, str],
    key: str,
    place: Place = OWN,
) -> None:
    """Replace the record of withdrawals; `joined_` is as `read_joined` gives it."""
    sorted_ = {patient: sorted(patients[patient]) for patient in sorted(patients)}
    record = {"key_id": key, "patients": sorted_, "joined": dict(sorted(joined_.items()))}
    text = json.dumps(record, indent=2) + "\n"
    replace(place.withdrawn, lambda draft: draft.write_text(text, "utf-8"))


def write_image(path: str, content: bytes, place: Place = OWN) -> None:
    """Write a file under `data/raw`."""
    replace(place.folder / path, lambda draft: draft.write_bytes(content))


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Put a file of `data/raw` in place at once.

    Raises:
        DataError: the disk is full or cannot be written to; `path` is what it was.
    """
    try:
        documents.replace(path, write)
    except OSError as error:
        raise DataError(
            f"{path.parent} cannot be written ({error.strerror or 'the disk fails'}): make room on "
            "its disk or fix the rights of the folder, then run the same again; what was there "
            "before is still there"
        ) from None


def sweep(table: pd.DataFrame, place: Place = OWN) -> None:
    """Remove what no row of the cohort names: drafts and files of a killed pull, and a given-up
    phantom.

    What is not written here stays, also where it came only after pull had looked for it.
    """
    named = pd.concat([table["path"], table["mask"]]).dropna()
    kept = {*place.tables, *(place.folder / path for path in named)}
    for file in sorted(place.folder.rglob("*"), reverse=True):
        if file.is_file() and file not in kept and is_own(file, place):
            file.unlink()
        elif file.is_dir() and not any(file.iterdir()):
            file.rmdir()
