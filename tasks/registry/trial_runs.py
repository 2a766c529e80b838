"""Trials in MLflow: a run per search, and in it a run per trial."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common import editing
from tasks.registry import live_runs
from tasks.registry.store import Store, open_experiment

if TYPE_CHECKING:
    from mlflow.entities import Run

    from tasks.networks.trials import Trial

SEARCH, TRIAL, PARENT = "tuning.key", "tuning.trial", "mlflow.parentRunId"
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "fail": "FAILED"}


def record(experiment: str, key: str, trials: Sequence[Trial], pictures: Sequence[Path]) -> None:
    """Record what is not there yet of a search, and end its run. A store that does not answer costs
    the record alone, which running the search again makes: no trial is run twice.
    """
    try:
        store = open_experiment(experiment)
        search = _search(store, key)
        there = live_runs.search(store, {PARENT: search.info.run_id})
        known = {run.data.tags[TRIAL] for run in there if run.info.status != "RUNNING"}
        for trial in trials:
            if str(trial.number) not in known:
                _record(store, search, trial)
        for picture in pictures:
            store.client.log_artifact(search.info.run_id, str(picture), "tuning")
        store.client.set_terminated(search.info.run_id)
    except Exception as error:  # whatever ails the record, what was found stands
        reason = str(error).strip().partition("\n")[0][:200]
        print(f"Warning: the search is not recorded in MLflow ({reason})", file=sys.stderr)


def _search(store: Store, key: str) -> Run:
    found = live_runs.search(store, {SEARCH: key})
    name = f"tuning {key[:8]}"
    return found[0] if found else _new(store, {SEARCH: key}, name)


def _record(store: Store, search: Run, trial: Trial) -> None:
    from mlflow.entities import Metric, Param

    tags = {PARENT: search.info.run_id, TRIAL: str(trial.number)}
    half = live_runs.search(store, tags)
    run = half[0] if half else _new(store, tags, f"trial {trial.number}")
    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in trial.metrics.items()]
    params = [Param(name, editing.said(value)) for name, value in trial.values.items()]
    store.client.log_batch(run.info.run_id, metrics=metrics, params=params)
    store.client.set_terminated(run.info.run_id, STATUS[trial.state])


def _new(store: Store, tags: dict[str, str], name: str) -> Run:
    return store.client.create_run(store.experiment_id, tags=tags, run_name=name)
