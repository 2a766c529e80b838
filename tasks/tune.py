"""Search for better settings of training; `python -m flows.tune` sees to the data before."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tasks.common import editing, paths
from tasks.common.errors import ParameterError, WorkspaceError, command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks import data, device
from tasks.networks.trials import Trial
from tasks.networks.tuning import Search
from tasks.pictures import tuning as pictures
from tasks.registry import trial_runs

APPLY = "--apply"


@command
def main() -> None:
    """Run the trials that are missing, and show or make the change of params.yaml."""
    parser = argparse.ArgumentParser(prog="python -m flows.tune", description=__doc__)
    parser.add_argument(APPLY, action="store_true", help="change params.yaml, too")
    apply, settings = parser.parse_args().apply, load(Params)
    if not paths.VIEWS.exists():
        raise WorkspaceError(
            f"required: {paths.VIEWS}, which training reads; received: none. `dvc repro augment` "
            "makes it"
        )
    if settings.train.start is not None:
        raise ParameterError(
            "required: train.start empty, for the trials of a search start afresh; received: "
            f"{settings.train.start}. Search without it, and set it again afterwards"
        )
    _tune(settings, apply)


def _tune(settings: Params, apply: bool) -> None:
    device.prepare(settings.train.threads, settings.train.seed, settings.train.devices)
    search = Search(settings, partial(data.read, settings.task))
    for trial in search.run():
        print(_line(trial, settings.tune.trials), flush=True)
    trials, best = search.trials(), search.best()
    trial_runs.record(settings.publish.experiment, search.key, trials, _draw(search, trials))
    print(f"Best: {_line(best, len(trials))}; charts in {paths.TUNING}")
    if best.number == 0:
        print(f"Nothing better was found than what {paths.PARAMS} says.")
        return
    change = editing.set_values if apply else editing.diff
    print(change(paths.PARAMS, best.values), end="")
    how = "`dvc repro` trains with it" if apply else f"`python -m flows.tune {APPLY}` makes it"
    print(f"The change of {paths.PARAMS}: {how}.")


def _line(trial: Trial, trials: int) -> str:
    said = ", ".join(f"{name} {editing.said(value)}" for name, value in trial.values.items())
    if not trial.metrics:
        return f"Trial {trial.number} of {trials}: {trial.state}; {said}"
    loss, auroc = trial.loss, trial.metrics["val_auroc"]
    return f"Trial {trial.number} of {trials}: val loss {loss:.4f}, AUROC {auroc:.4f}; {said}"


def _draw(search: Search, trials: Sequence[Trial]) -> list[Path]:
    history, importance = paths.TUNING / "history.png", paths.TUNING / "importance.png"
    paths.TUNING.mkdir(parents=True, exist_ok=True)
    pictures.history(history, [trial.loss for trial in trials])
    pictures.importance(importance, search.importance())
    return [history, importance]


if __name__ == "__main__":
    main()
