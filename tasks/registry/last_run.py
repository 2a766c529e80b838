"""What the last publish, register and gate did: the receipt of a flow, and the memo that keeps a
`publish` with nothing new cheap. Lies in the state folder and can be deleted at any time.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from tasks.common import documents, mlflow_server, paths
from tasks.common.paths import StateEntry
from tasks.registry import sqlite_file


def read() -> dict[str, Any]:
    """What is known; empty if nothing is, or if the file is torn or somebody else's."""
    return documents.read_memo(StateEntry.LAST_RUN.path)


def replace(**values: Any) -> None:
    """Begin anew with `values`."""
    documents.write_json(StateEntry.LAST_RUN.path, values)


def add(**values: Any) -> None:
    """Add `values` to what is known."""
    replace(**read() | values)


def published(result: str, experiment: str) -> str | None:
    """The run that holds `result` for certain, without importing MLflow; None: look properly.

    A SQLite store is asked itself, as it may have been deleted or replaced. A server is believed to
    hold still what was published to it; delete the state folder to have it looked at.
    """
    known = read()
    uri = paths.tracking_uri()
    store = mlflow_server.address(uri)
    wanted = {"result": result, "experiment": experiment, "store": store}
    if any(known.get(name) != value for name, value in wanted.items()):
        return None
    run_id, path = known.get("run_id"), sqlite_file.of_uri(uri)
    if not isinstance(run_id, str):
        return None
    if path is not None and not _stands(path, run_id):
        return None
    return run_id


def _stands(path: Path, run_id: str) -> bool:
    complete = "status = 'FINISHED' AND lifecycle_stage = 'active'"
    query = f"SELECT 1 FROM runs WHERE run_uuid = ? AND {complete}"
    try:
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            return database.execute(query, [run_id]).fetchone() is not None
        finally:
            database.close()
    except sqlite3.Error:
        return False
