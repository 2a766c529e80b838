"""The champion as the MLflow store and the ledger have it, without MLflow: that imports in seconds.

For what must be known before work begins, and every half minute. Whatever store and ledger do not
tell is unknown here: the gate asks them properly.
"""

from __future__ import annotations

import ast
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common import labels, mlflow_server, paths

SQLITE = "sqlite:///"
CROWNED = ("first", "promoted")  # kinds of the ledger's entries that make a version champion
ALIAS = "SELECT version FROM registered_model_aliases WHERE alias = 'champion' AND name = ?"
OF_RUN = """
    SELECT alias.version, param.key, param.value FROM registered_model_aliases AS alias
    JOIN model_versions AS version ON version.name = alias.name AND version.version = alias.version
    JOIN params AS param ON param.run_uuid = version.run_id
    WHERE alias.alias = 'champion' AND alias.name = ? AND param.key LIKE 'task.%'
"""


@dataclass(frozen=True)
class Champion:
    """A version, and the classes that it scores."""

    version: int
    scored: list[str]


def find(model_name: str) -> Champion | None:
    """The champion of a registered model; None where there is none, or the store does not tell."""
    uri = paths.tracking_uri()
    try:
        if uri.startswith(SQLITE):
            return _in_sqlite(Path(uri.removeprefix(SQLITE)), model_name)
        if mlflow_server.is_one(uri):
            return _at_server(uri, model_name)
    except (sqlite3.Error, OSError, ValueError, KeyError, SyntaxError):
        pass
    return None


def differs(model_name: str) -> bool:
    """Whether the alias is on another version than the ledger has as champion: a look of
    milliseconds. Not so where nothing has the alias, or the store does not tell.
    """
    uri = paths.tracking_uri()
    try:
        if uri.startswith(SQLITE):
            named = _alias_in_sqlite(Path(uri.removeprefix(SQLITE)), model_name)
        elif mlflow_server.is_one(uri):
            named = int(_holder(uri, model_name)["version"])
        else:
            return False
        return named is not None and named != _entered(model_name)
    except (sqlite3.Error, OSError, ValueError, KeyError):
        return False


def _alias_in_sqlite(path: Path, name: str) -> int | None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        found = database.execute(ALIAS, [name]).fetchone()
    return int(found[0]) if found else None


def _holder(uri: str, name: str) -> Any:
    """What a server says of the version that has the alias."""
    asked = mlflow_server.ask(uri, "registered-models/alias", name=name, alias="champion")
    return asked["model_version"]


def _entered(name: str) -> int | None:
    """The version that the ledger made champion last; whether its chain is whole is not asked."""
    if not paths.ledger().exists():
        return None
    for line in reversed(paths.ledger().read_text(encoding="utf-8").splitlines()):
        entry = json.loads(line)
        if entry["kind"] in CROWNED and entry["model_name"] == name:
            return int(entry["version"])
    return None


def _in_sqlite(path: Path, name: str) -> Champion | None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(OF_RUN, [name]).fetchall()
    task = {key: value for _, key, value in rows}
    return _champion(rows[0][0], task) if rows else None


def _at_server(uri: str, name: str) -> Champion | None:
    version = _holder(uri, name)
    params = mlflow_server.ask(uri, "runs/get", run_id=version["run_id"])["run"]["data"]["params"]
    return _champion(version["version"], {param["key"]: param["value"] for param in params})


def _champion(version: Any, task: Mapping[str, str]) -> Champion:
    classes = ast.literal_eval(task["task.classes"])
    return Champion(int(version), labels.scored(task["task.kind"], classes))
