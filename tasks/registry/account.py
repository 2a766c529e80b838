"""What the ledger tells a person: which version served when, and whether it can be believed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tasks.common import paths
from tasks.registry import heads, ledger, sqlite_file, witness
from tasks.registry.failures import in_one_line
from tasks.registry.ledger import Entry
from tasks.registry.store import connect

NOTES = ("by", "where", "reason", "before")  # of an entry's facts, as they are told
WIDTH = 98  # of a line of reasons


def history(name: str) -> str:
    """Which version served when, and below that every entry about a registered model.

    Raises:
        RegistryError: the ledger is broken.
    """
    entries = [entry for entry in ledger.read() if entry.model_name == name]
    if not entries:
        return f"nothing about {name} yet"
    served = [entry for entry in entries if entry.kind in ledger.CROWNED]
    told = [f"  {line}" for line in _reigns(served)] or ["  none yet"]
    rows = [f"  {line}" for entry in entries for line in _told(entry)]
    return "\n".join(["Champions", *told, "Entries", *rows])


def _reigns(served: Sequence[Entry]) -> Iterator[str]:
    ends = [later.time for _, later in pairwise(served)] + ["today"]
    for entry, end in zip(served, ends, strict=True):
        yield f"version {entry.version:<4} {entry.time} to {end}"


def _told(entry: Entry) -> Iterator[str]:
    """A row of what happened, and below it the reasons of a verdict."""
    kind = ledger.outcome(entry)
    if entry.kind == "promoted" and entry.facts.get("rollback"):
        kind = "rolled back to"
    notes = [f"{name}: {entry.facts[name]}" for name in NOTES if entry.facts.get(name)]
    yield " | ".join([f"{entry.time}  version {entry.version:<4} {kind}", *notes])
    for reason in entry.facts.get("reasons", []):
        yield from textwrap.wrap(reason, WIDTH, initial_indent="    - ", subsequent_indent="      ")


def verify(name: str) -> str:
    """That the ledger is whole, by which copies of its head, and what nobody can know.

    Raises:
        RegistryError: it is not.
    """
    with in_one_line():
        entries = ledger.read()
        client = connect()
        in_mlflow = {*heads.hold(client, name), *heads.hold_to_runs(client)}
    in_file = witness.of_file()
    last = max((int(copy.partition(":")[0]) for copy in (*in_mlflow, *in_file)), default=0)
    lines = [
        f"the chain of entries is whole: {len(entries)}",
        f"it agrees with {len(in_mlflow)} copies of its head in MLflow and {len(in_file)} in "
        f"{witness.VARIABLE}; the newest copy is of entry {last}",
    ]
    if last < len(entries):
        lines.append(f"entries behind {last} could be cut off or written anew unseen")
    if not in_file and _lies_beside():
        lines.append(
            "MLflow's store lies in the same folder: whoever can write there can change ledger and "
            f"copies alike, and nothing here would tell. Set {witness.VARIABLE} to a file or a "
            "folder elsewhere"
        )
    return "\n".join(lines)


def _lies_beside() -> bool:
    store = sqlite_file.of_uri(paths.tracking_uri())
    return store is not None and store.parent == ledger.path().parent
