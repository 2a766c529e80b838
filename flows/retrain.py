"""Retrain: pull what is new, run the stages of `dvc.yaml`, register the model, hold the gate.

python -m flows.retrain [--set key=value ...]
"""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any, cast

from flows import prefect_server, processes, receipt
from tasks.common import editing, paths, preflight
from tasks.common.errors import MedloopError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params


def main() -> int:
    """Edit the parameters where asked to, run the flow, print the receipt; 1 where it failed,
    `processes.STOPPED` where it was stopped.
    """
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description=__doc__)
    parser.add_argument("--set", action="append", default=[], metavar="key=value", dest="settings")
    arguments = parser.parse_args()
    try:
        preflight.folder()
        _edit(arguments.settings)
        preflight.require()
        return _report(_retrain())
    except MedloopError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _stopped()


def _edit(settings: list[str]) -> None:
    load(Params)
    print(editing.set_values(paths.PARAMS, dict(map(editing.parse_setting, settings))), end="")


def _retrain() -> Any:
    """The final state of a run of the flow."""
    wait = prefect_server.choose()
    # Prefect takes seconds to import, while which the server starts, and reads its address.
    from flows.retraining import retrain

    wait()
    with processes.stoppable(signal.SIGINT, signal.SIGTERM):
        return retrain(return_state=True)


def _report(state: Any) -> int:
    if state.is_completed():
        print(receipt.render(cast(dict[str, float | None], state.result())))
        return 0
    if state.is_cancelled():
        return _stopped()
    print(f"\nRetraining stopped at {state.message}\nFix that, and run it again to go on.")
    return 1


def _stopped() -> int:
    print("\nStopped; run it again to go on.")
    return processes.STOPPED


if __name__ == "__main__":
    sys.exit(main())
