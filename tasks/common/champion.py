"""The champion as the MLflow store has it, asked without MLflow, which takes seconds to import.

For what must be known before work begins. Whatever the store does not tell is unknown here: the
gate asks it properly.
"""

from __future__ import annotations

import ast
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common import labels, paths

SQLITE = "sqlite:///"
SECONDS = 5.0  # for a server to answer
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
        if uri.startswith(("http://", "https://")):
            return _at_server(uri.rstrip("/"), model_name)
    except (sqlite3.Error, OSError, ValueError, KeyError, SyntaxError):
        pass
    return None


def _in_sqlite(path: Path, name: str) -> Champion | None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(OF_RUN, [name]).fetchall()
    task = {key: value for _, key, value in rows}
    return _champion(rows[0][0], task) if rows else None


def _at_server(uri: str, name: str) -> Champion | None:
    import requests

    def ask(what: str, **which: str) -> Any:
        answer = requests.get(
            f"{uri}/api/2.0/mlflow/{what}", which, timeout=SECONDS, **_credentials()
        )
        answer.raise_for_status()
        return answer.json()

    version = ask("registered-models/alias", name=name, alias="champion")["model_version"]
    params = ask("runs/get", run_id=version["run_id"])["run"]["data"]["params"]
    return _champion(version["version"], {param["key"]: param["value"] for param in params})


def _credentials() -> dict[str, Any]:
    """As MLflow takes them from the environment."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"headers": {"Authorization": f"Bearer {token}"}}
    user, password = (
        os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD")
    )
    return {"auth": (user, password)} if user and password else {}


def _champion(version: Any, task: Mapping[str, str]) -> Champion:
    classes = ast.literal_eval(task["task.classes"])
    return Champion(int(version), labels.scored(task["task.kind"], classes))
