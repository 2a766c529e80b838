"""Retrain: pull what is new, run the stages of `dvc.yaml`, register the model, hold the gate.

python -m flows.retrain [--set key=value ...]
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, cast

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows import artifacts, processes, receipt
from tasks.common import editing, paths, pipeline
from tasks.common.errors import MedloopError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params

PULL = [sys.executable, "-m", "tasks.pull"]
REGISTER = [sys.executable, "-m", "tasks.register"]
GATE = [sys.executable, "-m", "tasks.gate"]
# What DVC says at every stage; it tells nothing about this run.
CHATTER = (
    "Generating lock file",
    "Updating lock file",
    "To track the changes with git",
    "git add ",
    "To enable auto staging",
    "dvc config core.autostage",
    "Use `dvc push`",
    "Stage '",
    "'data/raw.dvc' didn't change",
    "Data and pipelines are up to date",
    "> python -m",
)


@flow(name="retrain")
def retrain() -> State[Any]:
    """Pull, the stages, register, gate; the first failure ends the flow."""
    try:
        with processes.only_flow():
            return _run_steps()
    except processes.BusyError as error:
        get_run_logger().error("%s", error)
        return Failed(message=str(error))


def _run_steps() -> State[Any]:
    if orphans := processes.end_orphans():
        get_run_logger().warning("Ended what a killed flow had left running: %s", orphans)
    seconds: dict[str, float] = {}
    for name, command in steps().items():
        started = time.monotonic()
        state = run_command.with_options(name=name)(name, command, return_state=True)
        seconds[name] = time.monotonic() - started
        # A failed stage that has its result has not run: the result is of an earlier run.
        if name == "validate" and (state.is_completed() or not paths.VALIDATION.exists()):
            artifacts.publish_validation()
        if not state.is_completed():
            return Failed(message=f"{name} failed")
    return Completed(message="retrained", data=seconds)


def steps() -> dict[str, list[str]]:
    """What the flow runs, by name and in order: the stages between pull, register and gate."""
    stages = {name: [sys.executable, "-m", "dvc", "repro", name] for name in pipeline.stages()}
    return {"pull": PULL, **stages, "register": REGISTER, "gate": GATE}


@task
def run_command(name: str, command: list[str]) -> State[Any]:
    """Run one command to its end, its output streamed to the log."""
    logger = get_run_logger()

    def log(line: str) -> None:
        if not line.strip().startswith(CHATTER):
            logger.info(line)

    try:
        processes.run(command, log, {"MEDLOOP_FLOW_RUN_ID": str(flow_run.id or "")})
    except processes.CommandError as failure:
        logger.error("%s", failure)
        return Failed(message=f"{name} failed")
    return Completed(message=f"{name} done")


def main() -> int:
    """Edit the parameters where asked to, run the flow, print the receipt; 1 where it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description=__doc__)
    parser.add_argument("--set", action="append", default=[], metavar="key=value", dest="settings")
    arguments = parser.parse_args()
    try:
        load(Params)
        settings = dict(editing.parse_setting(text) for text in arguments.settings)
        print(editing.set_values(paths.PARAMS, settings), end="")
    except MedloopError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    state: State[Any] = retrain(return_state=True)
    if not state.is_completed():
        print(f"\nRetraining stopped: {state.message}. Mend what the log says and run it again.")
        return 1
    print(receipt.render(cast(dict[str, float], state.result())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
