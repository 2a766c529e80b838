"""Search settings of training with Optuna: one process, trial after trial on the same features.

What passes the frozen part is stored, so a trial of the head phase takes a second or two. A trial
trains as the stages would with its settings, bit by bit, and is judged by the loss on val of its
best epoch; test is not read. What a trial tries follows from the seed and the trials before it, so
a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import keras

from tasks.common import digests, paths
from tasks.common.errors import MedloopError, ParameterError, TrainingError
from tasks.networks import keyed_files, keys, recipe
from tasks.networks.architecture import build
from tasks.networks.fit import Fitted, Metrics
from tasks.networks.passes import Data

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

STARTUP, WARM_UP = 5, 5  # trials that are never pruned, and epochs of each later one
DIGITS = 3  # of a setting that is tried, so that params.yaml says it in full
KEPT = 4  # searches in the state folder
SECTIONS = ("task", "model", "preprocess", "train", "fine_tune")


class Range(NamedTuple):
    """Where a setting is looked for."""

    low: float
    high: float
    log: bool = False


SPACE = {
    "model.dropout": Range(0.0, 0.6),
    "train.learning_rate": Range(3e-4, 0.1, log=True),
    "train.label_smoothing": Range(0.0, 0.2),
    "train.l1": Range(0.0, 0.001),
    "train.l2": Range(0.0, 0.01),
    "fine_tune.learning_rate": Range(1e-6, 1e-3, log=True),
    "fine_tune.label_smoothing": Range(0.0, 0.2),
}
Values = dict[str, float]


class Trial(NamedTuple):
    """What became of one: `state` is complete, pruned or fail; metrics of its best epoch."""

    number: int
    values: Values
    state: str
    metrics: Metrics


class Search:
    """A search in the state folder; the first trial is what params.yaml says now.

    Attributes:
        key: of all that its trials depend on.
    """

    def __init__(self, settings: Params, images: Data) -> None:
        """Find or begin it.

        Raises:
            ParameterError: Optuna is not installed.
        """
        self._optuna, self._settings, self._images = _optuna(), settings, images
        asked = settings.model_dump(include=set(SECTIONS)) | {"tune": settings.tune.search}
        seen = [digests.of_file(file) for file in (paths.MANIFEST, paths.PACK, paths.VIEWS)]
        made = keys.made_with("tasks.networks.tuning")
        self.key = digests.of_json([asked, settings.tune.seed, seen, made])
        self._study = open_study(self.key, self._now())

    def trials(self) -> list[Trial]:
        """Those that ended, the first one first."""
        states = self._optuna.trial.TrialState
        ended = self._study.get_trials(states=(states.COMPLETE, states.PRUNED, states.FAIL))
        return [
            Trial(number, dict(each.user_attrs["values"]), each.state.name.lower(), _metrics(each))
            for number, each in enumerate(ended)
        ]

    def best(self) -> Trial:
        """The first of those with the lowest loss on val.

        Raises:
            TrainingError: none ended well.
        """
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        if not complete:
            raise TrainingError(
                "required: a trial that ends; received: none. Look at what ends them above, or "
                "let tune.search name other settings"
            )
        return min(complete, key=lambda trial: trial.metrics["val_loss"])

    def importance(self) -> dict[str, float]:
        """The share of each setting in how much the loss varies (Hutter et al. 2014, ICML)."""
        evaluator = self._optuna.importance.FanovaImportanceEvaluator(seed=self._settings.tune.seed)
        found = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {str(name): float(share) for name, share in found.items()}

    def run(self) -> Iterator[Trial]:
        """Run what is missing of `tune.trials`, and give each trial as it ends."""
        with keyed_files.alone(paths.StateEntry.TUNING.path, self.key):
            yield from self._run()
        keyed_files.make_room(paths.StateEntry.TUNING.path, KEPT)

    def _run(self) -> Iterator[Trial]:
        while (done := len(self.trials())) < self._settings.tune.trials:
            self._study.sampler = self._optuna.samplers.TPESampler(
                n_startup_trials=STARTUP,
                seed=self._settings.tune.seed + done,
                constant_liar=False,  # else a trial that a kill left open would count
            )
            self._one()
            yield self.trials()[-1]

    def _one(self) -> None:
        trial = self._study.ask(self._distributions())
        values = {name: float(f"{value:.{DIGITS}g}") for name, value in trial.params.items()}
        trial.set_user_attr("values", values)

        def on_epoch(epoch: int, metrics: Metrics) -> None:
            trial.report(metrics["val_loss"], epoch)
            if trial.should_prune():
                raise self._optuna.TrialPruned

        states = self._optuna.trial.TrialState
        try:
            with nullcontext() if trial.number == 0 else redirect_stdout(io.StringIO()):
                metrics = train(changed(self._settings, values), self._images, on_epoch)
        except self._optuna.TrialPruned:
            self._study.tell(trial, state=states.PRUNED)
        except TrainingError as error:  # a loss that is not a number
            print(f"{error}", flush=True)
            self._study.tell(trial, state=states.FAIL)
        else:
            trial.set_user_attr("metrics", metrics)
            self._study.tell(trial, metrics["val_loss"])

    def _distributions(self) -> dict[str, Any]:
        """The ranges, widened to what params.yaml says."""
        found = {}
        for name, now in self._now().items():
            low, high, log = SPACE[name]
            found[name] = self._optuna.distributions.FloatDistribution(
                min(low, now), max(high, now), log=log
            )
        return found

    def _now(self) -> Values:
        values = self._settings.model_dump()
        parts = (name.split(".") for name in self._settings.tune.search)
        return {f"{section}.{key}": values[section][key] for section, key in parts}


def open_study(key: str, first: Values) -> Any:
    """The study of a key in the state folder, or a new one that tries `first` first. What cannot be
    understood there counts as nothing.

    Raises:
        ParameterError: Optuna is not installed.
    """
    path = paths.StateEntry.TUNING.path / f"{key}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _load(path, first)
    except MedloopError:
        raise
    except Exception:  # damage shows in many ways
        path.unlink(missing_ok=True)
        return _load(path, first)


def _load(path: Path, first: Values) -> Any:
    optuna = _optuna()
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    pruner = optuna.pruners.MedianPruner(STARTUP, WARM_UP)
    study = optuna.create_study(
        storage=storage, pruner=pruner, study_name=path.stem, load_if_exists=True
    )
    if not study.get_trials():
        study.enqueue_trial(first)
    return study


def train(settings: Params, images: Data, on_epoch: Callable[[int, Metrics], None]) -> Metrics:
    """The best epoch of a training as the stages run it: of both phases where both are searched,
    and then `on_epoch` is told of the second.
    """
    keras.utils.set_random_seed(settings.train.seed)
    model = build(settings.model, settings.preprocess, settings.task)
    backbone = settings.model.backbone
    given = recipe.of_data(settings.task, settings.train, images)
    if not any(name.startswith("fine_tune") for name in settings.tune.search):
        return _best(recipe.train_head(model, backbone, given, on_epoch))
    head = _best(recipe.train_head(model, backbone, given, lambda *_: None))
    tuned = _best(recipe.fine_tune(model, backbone, settings.fine_tune, given, on_epoch))
    return min(head, tuned, key=lambda metrics: metrics["val_loss"])


def _best(fitted: Fitted) -> Metrics:
    fitted.checkpoint.remove()
    return fitted.best


def changed(settings: Params, values: Mapping[str, float]) -> Params:
    """The same settings with other values of some keys, such as `train.l2`."""
    for name, value in values.items():
        section, key = name.split(".")
        part = getattr(settings, section).model_copy(update={key: value})
        settings = settings.model_copy(update={section: part})
    return settings


def _metrics(trial: Any) -> Metrics:
    return dict(trial.user_attrs.get("metrics", {}))


def _optuna() -> ModuleType:
    try:
        import optuna
    except ImportError:
        raise ParameterError(
            "required: Optuna, which searches; received: an environment without it. "
            "`make setup` installs it"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
