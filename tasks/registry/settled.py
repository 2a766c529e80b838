"""Whether register and gate have anything to do: what they said last stands while nothing that it
rests on has changed. Asked without importing MLflow, which takes seconds.

A server is not asked, nor is its word taken for granted: with one, both look properly.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.common import digests, paths
from tasks.registry import last_run, ledger, sqlite_file

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

# Each has a column `name`, that of the registered model.
TABLES = ("registered_model_aliases", "model_versions", "model_version_tags")


def said(settings: Params) -> dict[str, Any] | None:
    """What the last register and gate said of all this; None where they must look.

    Raises:
        DataError: there is no `dvc.lock`.
    """
    known, now = last_run.read(), _fingerprint(settings)
    return known if now is not None and known.get("settled") == now else None


def remember(settings: Params) -> None:
    """To be called when register and gate are done."""
    last_run.add(settled=_fingerprint(settings))


def _fingerprint(settings: Params) -> str | None:
    """The digest of the result, the parameters, the ledger, and of versions, aliases and tags of
    the registered model; None where the store is no SQLite file that can be read.
    """
    uri, entries = paths.tracking_uri(), ledger.path()
    store = sqlite_file.of_uri(uri)
    if store is None:
        return None
    try:
        held = _held(store, settings.publish.model_name)
    except sqlite3.Error:
        return None
    rests_on = [digests.of_result(), settings.model_dump(), uri, held]
    return digests.of_json([*rests_on, digests.of_file(entries) if entries.exists() else ""])


def _held(store: Path, model_name: str) -> list[list[str]]:
    with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as database:
        found = (
            database.execute(f"SELECT * FROM {table} WHERE name = ?", [model_name])
            for table in TABLES
        )
        return [sorted(map(repr, rows)) for rows in found]
