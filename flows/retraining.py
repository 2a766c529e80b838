"""The flow: pull what is new, run the stages that changed, register, hold the gate."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Collection, Mapping
from itertools import dropwhile
from typing import Any

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import CancelledRun, FailedRun, TerminationSignal
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from ruamel.yaml import YAML

from flows import artifacts, processes, receipt, watch
from flows.child_log import ChildLog
from tasks.common import documents, half_written, paths, pipeline, preflight
from tasks.common.errors import MedloopError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params

MODULE = [sys.executable, "-m"]
DVC = [*MODULE, "dvc"]
UNCHANGED = "Unchanged"  # the state of a stage that DVC had nothing to run of
STOPPED = "stopped; run it again to go on"
OF_A_WORKER = "PREFECT__FLOW_RUN_ID"  # in the environment of a run that a worker started
DIGITS = 8  # of the version of the data, in the name of a run


def _name() -> str:
    """The name of a run: date, source and version of the data, as they are now."""
    known = paths.RAW_DVC.exists() and not half_written.cut_short(paths.RAW_DVC)
    version = YAML(typ="safe").load(paths.RAW_DVC)["outs"][0]["md5"][:DIGITS] if known else ""
    return f"{time.strftime('%Y-%m-%d %H:%M')} {load(Params).pull.source} {version}".strip()


@flow(name="retrain", flow_run_name=_name)
def retrain() -> State[Any]:
    """Pull, the stages, register, gate; the first failure ends the flow."""
    # A worker asks with SIGTERM too, and Prefect's own handler lets it know that it was heard.
    signals = [signal.SIGINT] if OF_A_WORKER in os.environ else [signal.SIGINT, signal.SIGTERM]
    try:
        with processes.stoppable(*signals), processes.only_flow():
            _clear_up()
            preflight.require()
            return _run_steps()
    except (processes.BusyError, MedloopError) as error:
        get_run_logger().error("%s", error)
        return Failed(message=str(error))


def _clear_up() -> None:
    """End and remove what a killed flow has left."""
    if orphans := processes.end_orphans():
        get_run_logger().warning("Ended what a killed flow had left running: %s", orphans)
    for removed in half_written.clear():
        get_run_logger().warning("%s", removed)


def _run_steps() -> State[Any]:
    commands, skipped = steps(), set[str]()
    if watch.differs():
        commands = {"watch": [*MODULE, "tasks.watch"]} | commands
    seconds: dict[str, float | None] = dict.fromkeys(commands)
    for name in commands:
        if name in skipped:
            continue
        started = time.monotonic()
        state = _run(name, commands, skipped)
        if not state.is_completed():
            return _ended(name, state)
        if name == "pull":
            _label()
            preflight.task()  # it may have written down the classes
        if name in (_last_before_stages(commands), "code"):
            skipped = _skip(commands, behind=name)
        seconds[name] = took = time.monotonic() - started
        _remember(name, state, took)
    artifacts.publish_verdict()
    artifacts.publish_card()
    artifacts.publish_receipt(seconds)
    _label(receipt.verdict())
    return Completed(message=receipt.outcome(), data=seconds)


def _remember(name: str, state: State[Any], seconds: float) -> None:
    """What a step took, unless DVC had nothing to run of it: the gate writes it into the report."""
    if state.name != UNCHANGED:
        path = paths.StateEntry.SECONDS.path
        documents.write_json(path, documents.read_memo(path) | {name: round(seconds, 1)})


def steps() -> dict[str, list[str]]:
    """What the flow runs, by name and in order: a look at the MLflow store, since training would be
    in vain without it, pull, the stages, register and gate. Where training starts from a version,
    or did, that is fetched or cleared away before the stages.
    """
    tasks = {name: [*MODULE, f"tasks.{name}"] for name in ("pull", "register", "gate")}
    stages = {name: [*DVC, "repro", name] for name in pipeline.stages()}
    look = {"store": [*MODULE, "tasks.check_store"]}
    start = {"start": [*MODULE, "tasks.start"]} if _has_start() else {}
    return look | {"pull": tasks.pop("pull"), **start, **stages, **tasks}


def _has_start() -> bool:
    return load(Params).train.start is not None or paths.STARTED_FROM.folder.exists()


def _last_before_stages(commands: Collection[str]) -> str:
    return "start" if "start" in commands else "pull"


def changed() -> list[str] | None:
    """The stages that may have changed; None: DVC cannot say.

    They begin with the first one that it finds changed, for what comes after it may change with it.
    That is `code` where the code was edited: then it is asked again once `code` has run.
    """
    said: list[str] = []
    try:
        processes.run([*DVC, "status", "--json"], said.append)
        found = json.loads(said[-1])
    except (processes.CommandError, IndexError, ValueError):  # `dvc repro` will say what ails it
        return None
    return list(dropwhile(lambda stage: stage not in found, pipeline.stages()))


def _skip(commands: dict[str, list[str]], behind: str) -> set[str]:
    """The steps behind one that need not run."""
    may_have_changed = changed()
    if may_have_changed is None:
        return set()
    names = list(commands)
    steps_behind = names[names.index(behind) + 1 :]
    skipped = [
        step for step in steps_behind if step in pipeline.stages() and step not in may_have_changed
    ]
    if skipped:
        get_run_logger().info("Unchanged, so skipped: %s", ", ".join(skipped))
    if len(may_have_changed) == 1:  # nothing before it has, so DVC need not look again
        commands[may_have_changed[0]].insert(-1, "--single-item")
    return set(skipped)


def _run(name: str, commands: Mapping[str, list[str]], skipped: Collection[str]) -> State[Any]:
    """One step as a task run of its own."""
    number = list(commands).index(name) + 1
    left = [step for step in list(commands)[number:] if step not in skipped]
    behind = f"; left: {', '.join(left)}" if left else ""
    get_run_logger().info("%d of %d: %s%s", number, len(commands), name, behind)
    step = run_command.with_options(name=name, task_run_name=name)
    state: State[Any] = step(name, commands[name], return_state=True)
    # A failed stage that has its result has not run: the result is of an earlier run.
    if name == "validate" and (state.is_completed() or not paths.VALIDATION.exists()):
        artifacts.publish_validation()
    return state


def _ended(name: str, state: State[Any]) -> State[Any]:
    """How the flow ends after a step that did not complete."""
    if state.is_cancelled():
        return Cancelled(message=STOPPED)
    return Failed(message=f"{name}: {state.message}")


def _label(*tags: str) -> None:
    """Name and tag the run by what it works on, and by `tags`."""
    params = load(Params)
    about = [params.pull.source, params.task.kind, params.model.backbone, *tags]
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=_name(), tags=[*flow_run.tags, *about])


def _told(record: logging.LogRecord) -> bool:
    """Where a worker runs the flow, Prefect logs an end that is no success a second time, as if it
    were an exception of its engine.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, CancelledRun | FailedRun)


logging.getLogger("prefect.flow_runs").addFilter(_told)


# Told to try again on a condition that never holds, Prefect does not log a failure's traceback
# where there is none, as it does of a task that is not to be tried again.
@task(retries=1, retry_condition_fn=lambda *_: False)
def run_command(name: str, command: list[str]) -> State[Any]:
    """Run one command to its end, its output streamed to the log; a failure tells its cause."""
    logger, child, skipped = get_run_logger(), ChildLog(), list[str]()

    def log(line: str) -> None:
        if line.startswith((f"Stage '{name}' didn't change", f"Stage '{name}' is cached")):
            skipped.append(line)
        level = child.level(line)
        if level is not None:
            logger.log(level, "%s", line)

    try:
        processes.run(command, log, {"MEDLOOP_FLOW_RUN_ID": str(flow_run.id or "")})
    except processes.CommandError as failure:
        return Failed(message=child.cause or str(failure))
    except (processes.StoppedError, TerminationSignal):
        return Cancelled(message=STOPPED)
    return Completed(message=f"{name} done", name=UNCHANGED if skipped else "Completed")
