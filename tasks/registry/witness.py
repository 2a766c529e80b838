"""Copies of the ledger's head that lie elsewhere, and what they tell of it.

A chain of hashes shows that an entry was edited, not that the last ones were cut off, nor that all
were written anew. A copy of the head (`12:<hash>`, the twelfth entry's) in another place shows
both: the entry must still be there, under that number. Copies lie on the versions that were judged
or promoted and on their runs, and line by line in the file that MEDLOOP_WITNESS names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tasks.common.errors import RegistryError

VARIABLE = "MEDLOOP_WITNESS"
NAME = "ledger.heads"  # of the file in a folder
TAG = "ledger.head"


def head(hashes: Sequence[str]) -> str:
    """The head of a ledger whose entries have these hashes."""
    return f"{len(hashes)}:{hashes[-1]}"


def path() -> Path | None:
    """The file that gets the heads; None where none is named."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    place = Path(named).expanduser()
    return place / NAME if place.is_dir() else place


def write(head_: str) -> None:
    """Add a head to the file, if there is one.

    Raises:
        RegistryError: it cannot be written.
    """
    file = path()
    if file is None:
        return
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{head_}\n")
    except OSError as error:
        raise RegistryError(
            f"required: {VARIABLE}, a file or a folder that can be written; received: "
            f"{error.strerror}. Fix that, or unset it"
        ) from error


def of_file() -> list[str]:
    """The heads in the file.

    Raises:
        RegistryError: it cannot be read.
    """
    file = path()
    try:
        return [] if file is None or not file.exists() else file.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(
            f"required: the heads of the ledger in {VARIABLE}; received: a file that cannot be read"
        ) from error


def hold(hashes: Sequence[str], copies: Iterable[str], where: str) -> None:
    """Hold the entries to copies of their head.

    Raises:
        RegistryError: an entry of which a copy speaks is gone, or is another.
    """
    for copy in copies:
        number, _, hash_ = copy.partition(":")
        position = int(number) if number.isdecimal() else 0
        if not 1 <= position <= len(hashes):
            found = f"a ledger of {len(hashes)} entries: its end was cut off, or it was removed"
        elif hashes[position - 1] != hash_:
            found = "another one: the ledger was written anew"
        else:
            continue
        raise RegistryError(
            f"required: entry {number or copy} of the ledger as {where} has it ({hash_[:12]}); "
            f"received: {found}. Restore the file from a backup, or bring that of the workspace "
            "which judged"
        )
