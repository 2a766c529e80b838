"""The MLflow store: where runs, versions and their files are kept."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tasks.common import mlflow_server, paths
from tasks.common.errors import RegistryError
from tasks.registry import sqlite_file
from tasks.registry.failures import in_one_line
from tasks.registry.sqlite_file import SQLITE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

# MLflow would adopt a run or an experiment that these name; ours are found by their digests.
FOREIGN = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
# Without it the UI opens on the pages for language models.
SHOWN_AS = {"mlflow.experimentKind": "custom_model_development"}
# MLflow's own patience with a server that is away is 4.5 minutes; what stands here goes first.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
FIRST_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
# What looks at the alias without MLflow asks a server or a SQLite file.
BARE = (
    ", but its files lie in this workspace, and only gate and promote see an alias that was moved: "
    "put a server in front of it (docs/mlflow_server.md)"
)
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


@dataclass(frozen=True)
class Store:
    """A client, and the experiment whose runs it looks at."""

    client: MlflowClient
    experiment_id: str


def check() -> str:
    """What a person may know of the store, in one line; one look, which changes nothing.

    Raises:
        RegistryError: it does not answer within seconds, has another schema than the installed
            MLflow, cannot be written, or its disk is full.
    """
    uri = paths.tracking_uri()
    path = sqlite_file.of_uri(uri)
    if path is None:
        _ask(uri)
        return f"{mlflow_server.address(uri)} answers{'' if mlflow_server.is_one(uri) else BARE}"
    sqlite_file.check(path)
    return str(path) if path.exists() else f"{path}, which the first run makes"


def prepare() -> str:
    """Check the store, and let one that was moved with its workspace name its files where they lie
    now; gives what `check` gives.

    Raises:
        RegistryError: as of `check`.
    """
    found = check()
    path = sqlite_file.of_uri(paths.tracking_uri())
    old = sqlite_file.bring_home(path) if path is not None and path.exists() else None
    if path is not None and old is not None:
        print(f"The MLflow store came from {old}: it names its files in {path.parent} now")
    return found


def connect() -> MlflowClient:
    """A client of the store at `paths.tracking_uri()`; a SQLite store is made if there is none.

    Raises:
        RegistryError: as of `check`.
    """
    for name in FOREIGN:
        os.environ.pop(name, None)
    prepare()
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    import mlflow

    # It logs a traceback of each failure that it raises too.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    uri = paths.tracking_uri()
    with in_one_line():
        if path := sqlite_file.of_uri(uri):
            _make(path)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        return mlflow.MlflowClient()


@cache
def _ask(uri: str) -> None:
    """Ask a server or a database whether it answers, once in a process."""
    from mlflow import MlflowClient

    advice = f"Start it, or unset MLFLOW_TRACKING_URI to record in {paths.store()}"
    with in_one_line(advice), _first_patience():
        _reach(uri)
        MlflowClient(uri, uri).search_experiments(max_results=1)


def _reach(uri: str) -> None:
    """Reach a database, and enter it: MLflow and the drivers have minutes of patience with a port
    that is closed and with a password that is refused.
    """
    parts = urlsplit(uri)
    port = PORTS.get(parts.scheme.partition("+")[0])
    if port is None or not parts.hostname:
        return
    socket.create_connection((parts.hostname, parts.port or port), timeout=5.0).close()
    from sqlalchemy import create_engine

    # The drivers of SQL Server have no name for it in common.
    patience = {} if parts.scheme.startswith("mssql") else {"connect_timeout": 5}
    create_engine(uri, connect_args=patience).connect().close()


@contextmanager
def _first_patience() -> Iterator[None]:
    """Little patience with a server, where the environment does not ask for more."""
    mine = {name: value for name, value in FIRST_PATIENCE.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            del os.environ[name]


@in_one_line()
def open_experiment(name: str) -> Store:
    """The store and the experiment `name`, made if there is none. The files of a SQLite store lie
    beside it; a server decides itself where its files lie.

    Raises:
        RegistryError: the experiment was deleted.
    """
    client = connect()
    known = client.get_experiment_by_name(name) or _make_experiment(client, name)
    if known.lifecycle_stage != "active":
        raise RegistryError(
            f"required: an active experiment; received: {name!r}, which was deleted. "
            f"`mlflow experiments restore -x {known.experiment_id}` brings it back, or set "
            "publish.experiment in params.yaml to another name"
        )
    return Store(client, known.experiment_id)


def _make_experiment(client: MlflowClient, name: str) -> Experiment:
    """Make an experiment, unless another process is sooner."""
    from mlflow.exceptions import MlflowException

    path = sqlite_file.of_uri(paths.tracking_uri())
    location = (path.parent / sqlite_file.ARTIFACTS).as_uri() if path else None
    try:
        made = client.create_experiment(name, artifact_location=location, tags=SHOWN_AS)
        return client.get_experiment(made)
    except MlflowException as error:
        known = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or known is None:
            raise
        return known


def _make(path: Path) -> None:
    """Make a SQLite store beside its place and put it there at once, unless there is one: a kill
    between two of its migrations would leave what MLflow can neither use nor fix.
    """
    if path.exists():
        return
    from mlflow import MlflowClient

    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own each time: MLflow keeps what it has opened by its name.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    uri = f"{SQLITE}{draft}"
    MlflowClient(uri, uri).search_experiments(max_results=1)
    try:
        os.link(draft, path)  # never over the store of a process that was sooner
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        draft.rename(path)
    draft.unlink(missing_ok=True)
