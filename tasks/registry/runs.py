"""The runs of results: whose a run is, and which one a result gets."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.registry import live_runs
from tasks.registry.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run


def find(store: Store, result: str) -> Run | None:
    """The run that belongs to a result, a complete one if there is one."""
    runs = live_runs.search(store, {live_runs.RESULT: result})
    return min(runs, key=lambda run: not is_complete(run), default=None)


def is_complete(run: Run) -> bool:
    """Whether a run holds all of its result: that is the last thing said of it."""
    return bool(run.info.status == "FINISHED")


def adopt(store: Store, result: str) -> Run:
    """Give a result the live run that trained its model, or else a new one."""
    free = live_runs.unowned(live_runs.search(store, live_runs.key("fine_tune")))
    tags = {live_runs.RESULT: result, live_runs.WORKSPACE: live_runs.workspace()}
    if not free:
        return store.client.create_run(store.experiment_id, tags=tags)
    for name, value in tags.items():
        store.client.set_tag(free[0].info.run_id, name, value)
    return free[0]


def end_abandoned(store: Store, keep: str) -> None:
    """End as KILLED every run of this workspace but `keep` that is still open.

    A workspace has one writer, so once it publishes, whatever else is open there was abandoned;
    so were the runs of workspaces that are gone (`dvc exp run --temp` makes such).
    """
    for run in live_runs.search(store, {}, status="RUNNING"):
        if run.info.run_id != keep and _is_ours(run.data.tags.get(live_runs.WORKSPACE, "")):
            store.client.set_terminated(run.info.run_id, "KILLED")


def models(store: Store, run_id: str) -> list[Any]:
    """The models that a run logged, complete or not."""
    owned = f"source_run_id = '{run_id}'"
    return list(store.client.search_logged_models([store.experiment_id], filter_string=owned))


def model_id(store: Store, run_id: str) -> str | None:
    """The id of the complete model of a run, if there is one."""
    ready = (model for model in models(store, run_id) if str(model.status) == "READY")
    return next((str(model.model_id) for model in ready), None)


def _is_ours(workspace: str) -> bool:
    host, _, folder = workspace.partition(":")
    return host == socket.gethostname() and (
        Path(folder) == Path.cwd() or not Path(folder).exists()
    )
