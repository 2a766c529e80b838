"""Live runs: what training shows in MLflow while it goes on.

A live run is found by the key of its stage (`digests.of_stage`), so a stage that was killed and
starts again goes on in the same run. Training is deterministic, so a step that is there already
holds the value that would be logged again, and is left alone. `publish` adopts the live run of its
result, and completes it from the histories in case anything is missing.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.common import digests
from tasks.common.params.loading import load
from tasks.common.params.publish import Publish
from tasks.common.params.section import Part
from tasks.registry import last_run
from tasks.registry.store import Store, open_experiment

if TYPE_CHECKING:
    from mlflow.entities import Run


RESULT = "result.digest"  # a run that carries it is owned by that result
WORKSPACE = "workspace"
AGAIN_SECONDS = 300.0  # between two attempts to reach a store that did not answer
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class _Settings(Part):
    publish: Publish


class EpochLog:
    """The epochs of one stage in one run, as metrics `<stage>/<name>`, each step once."""

    def __init__(self, store: Store, run_id: str, stage: str) -> None:
        self._store = store
        self._run_id = run_id
        self._stage = stage
        names = store.client.get_run(run_id).data.metrics
        self._steps = {
            (name, metric.step)
            for name in names
            if name.startswith(f"{stage}/")
            for metric in store.client.get_metric_history(run_id, name)
        }

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log what is not there yet; `epoch` counts from 1."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        named = {f"{self._stage}/{name}": float(value) for name, value in metrics.items()}
        new = {name: value for name, value in named.items() if (name, epoch) not in self._steps}
        batch = [Metric(name, value, now, epoch) for name, value in new.items()]
        self._store.client.log_batch(self._run_id, metrics=batch)
        self._steps |= {(name, epoch) for name in new}


class LiveRun:
    """The live run of a stage. While a store does not answer, epochs are kept, and sent when it
    answers again; training goes on, and `publish` copies the history anyway.
    """

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._log: EpochLog | None = None
        self._stop: Callable[[], None] | None = None
        self._waiting: list[tuple[int, dict[str, float]]] = []
        self._not_before = 0.0
        self._send()

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log the metrics of one epoch, counted from 1."""
        self._waiting.append((epoch, metrics))
        self._send()

    def close(self) -> None:
        """Stop the system metrics; the run itself stays open for the next stage and `publish`."""
        if self._waiting:
            self._send()
        self._stop_system_metrics()

    def _stop_system_metrics(self) -> None:
        if self._stop is not None:
            with suppress(Exception):  # of a store that is gone
                self._stop()
            self._stop = None

    def _send(self) -> None:
        if time.monotonic() < self._not_before:
            return
        try:
            self._log = self._log or self._open()
            while self._waiting:
                self._log.log_epoch(*self._waiting[0])
                self._waiting.pop(0)
        except Exception as error:  # whatever ails the record, training must not die of it
            self._put_off(error)

    def _put_off(self, error: Exception) -> None:
        self._log = None  # what arrived of the last call shows when the run is read again
        self._stop_system_metrics()  # MLflow's own thread has given up
        self._not_before = time.monotonic() + AGAIN_SECONDS
        reason = str(error).strip().partition("\n")[0][:200]
        print(
            f"Warning: no live metrics, the MLflow store does not answer ({reason}); training goes "
            f"on; it is asked again after {AGAIN_SECONDS:.0f} s, and at the latest publish records "
            "the history",
            file=sys.stderr,
        )

    def _open(self) -> EpochLog:
        os.environ.update({k: v for k, v in IMPATIENT.items() if k not in os.environ})
        store = open_experiment(load(_Settings).publish.experiment)
        last_run.replace()  # the next publish looks properly, and ends what was abandoned
        run = _choose(store, self._stage)
        if RESULT not in run.data.tags:
            store.client.update_run(run.info.run_id, status="RUNNING")
            self._stop = self._stop or _start_system_metrics(run.info.run_id)
        return EpochLog(store, run.info.run_id, self._stage)


@contextmanager
def live_run(stage: str) -> Iterator[LiveRun]:
    """Show a stage in MLflow while it goes on, epoch by epoch."""
    run = LiveRun(stage)
    try:
        yield run
    finally:
        run.close()


@contextmanager
def shown_live(
    stage: str, first_machine: bool
) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """Give what is called with each finished epoch and its metrics: it shows them in MLflow, from
    the first machine of those that train together.
    """
    if not first_machine:
        yield lambda *_: None
        return
    with live_run(stage) as run:
        yield run.log_epoch


def key(stage: str) -> dict[str, str]:
    """The tag by which the live run of a stage's present inputs is found."""
    return {f"live.key.{stage}": digests.of_stage(stage)}


def workspace() -> str:
    """The tag that says where a run was made: machine and folder."""
    return f"{socket.gethostname()}:{Path.cwd()}"


def search(store: Store, tags: dict[str, str], status: str | None = None) -> list[Run]:
    """The runs that carry all of `tags`, newest first."""
    terms = [f"tags.`{name}` = '{value}'" for name, value in tags.items()]
    terms += [f"attributes.status = '{status}'"] if status else []
    order = ["attributes.start_time DESC"]
    return list(
        store.client.search_runs([store.experiment_id], " AND ".join(terms), order_by=order)
    )


def unowned(runs: list[Run]) -> list[Run]:
    """Those that no result owns."""
    return [run for run in runs if RESULT not in run.data.tags]


def _choose(store: Store, stage: str) -> Run:
    """The run of this stage's key, else the one that the head phase has just left open, else a
    new one.
    """
    own = search(store, key(stage))
    chosen = next(iter(unowned(own) or own or _left_open(store, stage)), None)
    tags = key(stage) | {WORKSPACE: workspace()}
    if chosen is None:
        name = f"live {tags[f'live.key.{stage}'][:8]}"
        return store.client.create_run(store.experiment_id, tags=tags, run_name=name)
    if RESULT not in chosen.data.tags:
        for name, value in tags.items():
            store.client.set_tag(chosen.info.run_id, name, value)
    return chosen


def _left_open(store: Store, stage: str) -> list[Run]:
    if stage != "fine_tune":
        return []
    runs = unowned(search(store, key("train")))
    return [run for run in runs if f"live.key.{stage}" not in run.data.tags]


def _start_system_metrics(run_id: str) -> Callable[[], None]:
    from mlflow.system_metrics import system_metrics_monitor

    untyped: Any = system_metrics_monitor
    monitor = untyped.SystemMetricsMonitor(run_id, resume_logging=True)
    monitor.start()
    stop: Callable[[], None] = monitor.finish
    return stop
