"""The ledger: what the gate said and what people promoted, in hash-chained JSON lines.

Each entry holds the hash of the one before and its own over everything else it says, so an entry
that was edited, removed or put in between later breaks the chain. Whether a version passed is read
here and not from tags, which anyone can edit.

A promotion is three steps, any of which may be the last before a kill: an entry `promoting`, the
alias, and an entry `promoted`. Whoever looks next enters what became of it, `promoted` or
`abandoned`, so no entry says what did not happen. (Old ledgers say `promoted` at once.)

Whoever reads in order to decide holds the lock until the decision is entered and done.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.common import digests, documents, paths
from tasks.common.errors import RegistryError

VERDICTS = ("first", "passed", "failed")
PASSED = ("first", "passed")
INTENT = "promoting"
OUTCOMES = ("promoted", "abandoned")
KINDS = (*VERDICTS, INTENT, *OUTCOMES)
CROWNED = ("first", "promoted")
START = "0" * 64
_holding: list[str] = []  # what this process holds the lock for


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
    with locked("a new entry"):
        entries = read()
        previous = entries[-1].hash if entries else START
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = Entry(now, kind, model_name, version, model_digest, facts, previous)
        _write([*entries, entry])
    return entry


def verdict(entries: Sequence[Entry], model_name: str, version: int, digest: str) -> Entry | None:
    """The newest verdict on a version; None if the gate never judged it."""
    about = (model_name, version, digest)
    found = (e for e in reversed(entries) if (e.model_name, e.version, e.model_digest) == about)
    return next((entry for entry in found if entry.kind in VERDICTS), None)


def champion(entries: Sequence[Entry], model_name: str) -> Entry | None:
    """The newest entry that made a version champion; None if there never was one."""
    found = (e for e in reversed(entries) if e.model_name == model_name)
    return next((entry for entry in found if entry.kind in CROWNED), None)


def digests_of(entries: Sequence[Entry], model_name: str, version: int) -> set[str]:
    """The networks that were judged as this version: one, unless somebody replaced it."""
    about = (model_name, version)
    judged = (e for e in entries if e.kind in VERDICTS)
    return {e.model_digest for e in judged if (e.model_name, e.version) == about}


def unsettled(entries: Sequence[Entry], model_name: str) -> Entry | None:
    """The promotion that was begun, if nobody entered yet what became of it."""
    begun = {e.hash: e for e in entries if e.kind == INTENT and e.model_name == model_name}
    for entry in entries:
        begun.pop(str(entry.facts.get("intent")), None)
    return next(iter(begun.values()), None)


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
def locked(who: str) -> Iterator[None]:
    """Only one process at a time; whoever waits says for whom. `who` is what this one does. The
    lock ends with its process, however it ends; inside it, it is held already.
    """
    if _holding:
        yield
        return
    path().parent.mkdir(parents=True, exist_ok=True)
    with path().with_suffix(".lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            print(f"Waiting for {file.read() or 'another process'} ...", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{who}, process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        _holding.append(who)
        try:
            yield
        finally:
            _holding.clear()
