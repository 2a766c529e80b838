"""The MLflow store: where runs, versions and their files are kept."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common import paths
from tasks.common.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow would adopt a run or an experiment that these name; ours are found by their digests.
FOREIGN = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
# Without it the UI opens on the pages for language models.
SHOWN_AS = {"mlflow.experimentKind": "custom_model_development"}
SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Store:
    """A client, and the experiment whose runs it looks at."""

    client: MlflowClient
    experiment_id: str


def connect() -> MlflowClient:
    """A client of the store at `paths.tracking_uri()`; a SQLite store is made if there is none."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    import mlflow

    uri = paths.tracking_uri()
    if uri.startswith(SQLITE):
        _make(Path(uri.removeprefix(SQLITE)))
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient()


def open_experiment(name: str) -> Store:
    """The store and the experiment `name`, made if there is none. The files of a SQLite store lie
    beside it; a server decides itself where its files lie.

    Raises:
        RegistryError: the experiment was deleted.
    """
    client = connect()
    known = client.get_experiment_by_name(name)
    if known is None:
        folder = _sqlite_folder(paths.tracking_uri())
        location = (folder / "artifacts").as_uri() if folder else None
        made = client.create_experiment(name, artifact_location=location, tags=SHOWN_AS)
        return Store(client, made)
    if known.lifecycle_stage != "active":
        raise RegistryError(
            f"required: an active experiment; received: {name!r}, which was deleted. "
            f"`mlflow experiments restore -x {known.experiment_id}` brings it back, or set "
            "publish.experiment in params.yaml to another name"
        )
    return Store(client, known.experiment_id)


def _make(path: Path) -> None:
    """Make a SQLite store beside its place and put it there at once, unless there is one: a kill
    between two of its migrations would leave what MLflow can neither use nor mend.
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


def _sqlite_folder(uri: str) -> Path | None:
    return Path(uri.removeprefix(SQLITE)).parent if uri.startswith(SQLITE) else None
