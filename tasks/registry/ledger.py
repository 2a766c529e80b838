"""The ledger: what the gate said and what people promoted, in hash-chained JSON lines.

Each entry holds the hash of the one before and its own over everything else it says, so an entry
that was edited, removed or put in between later breaks the chain. Whether a version passed is read
here and not from tags, which anyone can edit.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.common import digests, documents, paths
from tasks.common.errors import RegistryError

KINDS = ("first", "passed", "failed", "promoted")
PASSED = ("first", "passed")
START = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One line. `facts` is what the verdict or the promotion rests on."""

    time: str  # UTC
    kind: str
    model_name: str
    version: int
    model_digest: str
    facts: dict[str, Any]
    previous: str

    @property
    def hash(self) -> str:
        """sha256 over the whole entry."""
        return digests.of_json(asdict(self))


def path() -> Path:
    """Where the ledger lies."""
    return paths.store() / "ledger.jsonl"


def read() -> list[Entry]:
    """Every entry, oldest first, the chain verified.

    Raises:
        RegistryError: a line does not fit the one before, or is no entry.
    """
    if not path().exists():
        return []
    entries: list[Entry] = []
    for number, line in enumerate(path().read_text(encoding="utf-8").splitlines(), start=1):
        entry = _parse(line)
        if entry is None or entry.previous != (entries[-1].hash if entries else START):
            raise RegistryError(
                f"required: an unbroken chain of entries; received: line {number} of {path()}, "
                "which was edited, or stands behind one that was removed or put in. Restore the "
                "file from a backup"
            )
        entries.append(entry)
    return entries


def append(
    kind: str, model_name: str, version: int, model_digest: str, facts: dict[str, Any]
) -> Entry:
    """Add an entry; the file on disk is whole at every moment.

    Raises:
        RegistryError: the chain is broken.
    """
    assert kind in KINDS
    with _locked():
        entries = read()
        previous = entries[-1].hash if entries else START
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = Entry(now, kind, model_name, version, model_digest, facts, previous)
        _write([*entries, entry])
    return entry


def verdict(entries: Sequence[Entry], model_name: str, version: int, digest: str) -> Entry | None:
    """The newest verdict on a version; None if the gate never judged it."""
    judged = ("first", "passed", "failed")
    about = (model_name, version, digest)
    found = (e for e in reversed(entries) if (e.model_name, e.version, e.model_digest) == about)
    return next((entry for entry in found if entry.kind in judged), None)


def _parse(line: str) -> Entry | None:
    """The entry on a line; None if it is none or its hash is not its own."""
    try:
        values = json.loads(line)
        claimed = values.pop("hash")
        entry = Entry(**values)
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None
    return entry if entry.hash == claimed else None


def _write(entries: Sequence[Entry]) -> None:
    lines = (json.dumps(asdict(e) | {"hash": e.hash}, sort_keys=True) for e in entries)
    documents.write_text(path(), "".join(f"{line}\n" for line in lines), lasting=True)


@contextmanager
def _locked() -> Iterator[None]:
    """Only one process at a time; the lock ends with its process, however it ends."""
    path().parent.mkdir(parents=True, exist_ok=True)
    with path().with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
