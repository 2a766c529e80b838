"""One trial of a search: a training with other settings, bit by bit as the stages would run it.

It is judged by the calibrated loss on val of its best epoch, and given up where it falls behind the
trials before it.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import keras

from tasks.common.errors import TrainingError
from tasks.networks import files, recipe, search_space, views
from tasks.networks.architecture import trunk, with_head
from tasks.networks.fit import CHOSEN_BY, Fitted, Metrics
from tasks.networks.passes import Data
from tasks.networks.search_space import Value, Values, changed

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

STARTUP, WARM_UP = 5, 5  # trials that are never pruned, and epochs of each later one


class Trial(NamedTuple):
    """What became of one.

    Attributes:
        number: from 0.
        values: that it tried.
        state: complete, pruned or fail.
        metrics: of its best epoch; none unless it is complete.
        losses: calibrated, on val, of each epoch that was judged.
    """

    number: int
    values: Values
    state: str
    metrics: Metrics
    losses: list[float]

    @property
    def loss(self) -> float:
        """What it is judged by; no number unless it is complete."""
        return self.metrics.get(CHOSEN_BY, math.nan)


class Task(NamedTuple):
    """A trial that is to be run, and those of earlier rounds."""

    number: int
    values: Values
    earlier: Sequence[Trial]


class Bench:
    """What all trials of a process share: the data, and the networks up to their heads, which take
    longer to build than a head to train.
    """

    def __init__(self, settings: Params, images: Data) -> None:
        self._settings, self._images = settings, images
        # By pool, each with the state of `random` right after it was built.
        self._trunks: dict[str, tuple[keras.Model, Any]] = {}

    def run(self, task: Task) -> Trial:
        """Run one; the first one shows its epochs."""
        running, losses = study(task.earlier).ask(), list[float]()
        pruned = search_space.library().TrialPruned

        def on_epoch(epoch: int, metrics: Metrics) -> None:
            losses.append(metrics[CHOSEN_BY])
            running.report(metrics[CHOSEN_BY], epoch)
            if running.should_prune():
                raise pruned

        state, metrics = "complete", Metrics()
        try:
            with nullcontext() if task.number == 0 else redirect_stdout(io.StringIO()):
                metrics = self.train(task.values, on_epoch)
        except pruned:
            state = "pruned"
        except TrainingError as error:  # a loss that is not a number
            print(f"{error}", flush=True)
            state = "fail"
        return Trial(task.number, task.values, state, metrics, losses)

    def train(
        self, values: Mapping[str, Value], on_epoch: Callable[[int, Metrics], None]
    ) -> Metrics:
        """The best epoch of a training with some settings changed: of both phases where both are
        searched, and then `on_epoch` is told of the second.
        """
        settings = changed(self._settings, values)
        model, backbone = self._network(settings), settings.model.backbone
        given = recipe.of_data(settings.task, settings.train, self._viewed(settings))
        given = given._replace(resumable=False)  # what it is judged by begins with its first epoch
        if not search_space.tunes(settings):
            return _best(recipe.train_head(model, backbone, given, on_epoch))
        head = _best(recipe.train_head(model, backbone, given, lambda *_: None))
        model = files.handed_on(model, settings.train.seed)
        tuned = _best(recipe.fine_tune(model, backbone, settings.fine_tune, given, on_epoch))
        return min(head, tuned, key=lambda metrics: metrics[CHOSEN_BY])

    def _network(self, settings: Params) -> keras.Model:
        """The untrained network that `build` gives right after the seed is set."""
        keras.utils.set_random_seed(settings.train.seed)
        if settings.model.pool not in self._trunks:
            made = trunk(settings.model, settings.preprocess)
            self._trunks[settings.model.pool] = made, random.getstate()
        features, drawn = self._trunks[settings.model.pool]
        random.setstate(drawn)  # of which Keras draws the seed of each layer
        return with_head(features, settings.model.dropout, settings.task)

    def _viewed(self, settings: Params) -> Data:
        shown = self._images.views
        return replace(
            self._images, views=views.asked(settings.augment, shown.image_ids, shown.size)
        )


def study(trials: Sequence[Trial], space: Mapping[str, Any] | None = None) -> Any:
    """Optuna's study of trials that have ended; with the space of what they tried, to sample by."""
    optuna = search_space.library()
    made = optuna.create_study(pruner=optuna.pruners.MedianPruner(STARTUP, WARM_UP))
    for trial in trials:
        made.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState[trial.state.upper()],
                value=_value(trial),
                params=trial.values if space else {},
                distributions=space or {},
                intermediate_values=dict(enumerate(trial.losses, 1)),
            )
        )
    return made


def _value(trial: Trial) -> float | None:
    if trial.state == "fail":
        return None
    return trial.loss if trial.metrics else trial.losses[-1]


def _best(fitted: Fitted) -> Metrics:
    fitted.checkpoint.remove()
    return fitted.best
