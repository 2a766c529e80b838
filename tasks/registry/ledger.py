"""The ledger: what the gate said and what people promoted, in hash-chained JSON lines.

Each entry holds the hash of the one before and its own over everything else it says, so an entry
that was edited, removed or put in between later breaks the chain; what was cut off or written anew
is found by copies of the head elsewhere (`witness`). Whether a version passed is read here and not
from tags, which anyone can edit.

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
from tasks.common.champion import CROWNED as CROWNED
from tasks.common.errors import RegistryError
from tasks.registry import witness

Identity = tuple[str, int, str]  # name of the model, number of the version, digest

VERDICTS = ("first", "passed", "undecided", "failed")
PASSED = ("first", "passed")
INTENT = "promoting"
OUTCOMES = ("promoted", "abandoned")
REFERENCE = "reference"  # a person has named another one
APPROVED = "approved"  # a person of `gate.approvers` agrees to its promotion
REFUSED = "refused"  # the alias was found on a version that must not have it, and put back
KINDS = (*VERDICTS, INTENT, *OUTCOMES, REFERENCE, APPROVED, REFUSED)
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
    def identity(self) -> Identity:
        """Which version it is about."""
        return self.model_name, self.version, self.model_digest

    @property
    def hash(self) -> str:
        """sha256 over the whole entry."""
        return digests.of_json(asdict(self))


def path() -> Path:
    """Where the ledger lies."""
    return paths.ledger()


def read() -> list[Entry]:
    """Every entry, oldest first, the chain verified.

    Raises:
        RegistryError: a line does not fit the one before, or is no entry; or the witness knows
            another ledger.
    """
    entries = _read() if path().exists() else []
    witness.hold([entry.hash for entry in entries], witness.of_file(), witness.VARIABLE)
    return entries


def head() -> str:
    """What a copy elsewhere is to hold: the number and the hash of the last entry."""
    return witness.head([entry.hash for entry in read()])


def _read() -> list[Entry]:
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
        RegistryError: the chain is broken, or the witness cannot be written.
    """
    assert kind in KINDS
    with locked("a new entry"):
        entries = read()
        previous = entries[-1].hash if entries else START
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = Entry(now, kind, model_name, version, model_digest, facts, previous)
        _write([*entries, entry])
        witness.write(witness.head([e.hash for e in (*entries, entry)]))
    return entry


def verdict(entries: Sequence[Entry], model_name: str, version: int, digest: str) -> Entry | None:
    """The newest verdict on a version; None if the gate never judged it."""
    found = (e for e in reversed(entries) if e.identity == (model_name, version, digest))
    return next((entry for entry in found if entry.kind in VERDICTS), None)


def champion(entries: Sequence[Entry], model_name: str) -> Entry | None:
    """The newest entry that made a version champion; None if there never was one."""
    found = (e for e in reversed(entries) if e.model_name == model_name)
    return next((entry for entry in found if entry.kind in CROWNED), None)


def reference(entries: Sequence[Entry], model_name: str) -> Entry | None:
    """The entry that made a version the reference: the newest that names one, else that of the
    first champion; None before there is one.
    """
    mine = [e for e in entries if e.model_name == model_name]
    named = [e for e in mine if e.kind == REFERENCE]
    return named[-1] if named else next((e for e in mine if e.kind in CROWNED), None)


def reigns(entries: Sequence[Entry], model_name: str) -> list[Entry]:
    """The entries that made versions champion, without those that a rollback has undone; the last
    is of the champion of today.
    """
    found: list[Entry] = []
    for entry in entries:
        if entry.model_name != model_name or entry.kind not in CROWNED:
            continue
        if entry.facts.get("rollback") and len(found) > 1:
            found = found[:-1]
        else:
            found.append(entry)
    return found


def end(intent: Entry, kind: str) -> Entry:
    """Enter what became of a promotion that was begun."""
    facts = intent.facts | {"intent": intent.hash}
    return append(kind, *intent.identity, facts)


def outcome(entry: Entry) -> str:
    """A verdict in a person's words; old ledgers have but its kind."""
    return str(entry.facts.get("outcome", entry.kind))


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
