"""Where each setting of training is looked for, as Optuna takes it."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.common.errors import ParameterError
from tasks.common.params.model import STAGED
from tasks.networks.architecture import build
from tasks.networks.augmentation import PRESETS
from tasks.networks.layers import cuts_around, default_cut

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

DIGITS = 3  # of a number that is tried, so that params.yaml says it in full
Value = float | str | None
Values = dict[str, Value]


class Range(NamedTuple):
    """Between two numbers, both included; with `log` evenly over their logarithms."""

    low: float
    high: float
    log: bool = False


Choices = tuple[Value, ...]
SCHEDULES: Choices = (None, "cosine", "plateau")
CUT_LAYER = "fine_tune.cut_layer"  # the one whose choices are the backbone's
POOL = "model.pool"

SPACE: dict[str, Range | Choices] = {
    POOL: ("last", "stages"),
    "model.dropout": Range(0.0, 0.6),
    "augment.preset": tuple(PRESETS),
    "augment.views": (1, 2, 3, 4),
    "train.learning_rate": Range(3e-4, 0.1, log=True),
    "train.schedule": SCHEDULES,
    "train.batch_size": (32, 64, 128, 256),
    "train.batch_normalisation": (False, True),
    "train.label_smoothing": Range(0.0, 0.2),
    "train.l1": Range(0.0, 0.001),
    "train.l2": Range(0.0, 0.01),
    "fine_tune.learning_rate": Range(1e-6, 1e-3, log=True),
    "fine_tune.schedule": SCHEDULES,
    "fine_tune.label_smoothing": Range(0.0, 0.2),
}


def now(settings: Params) -> Values:
    """What is searched, as `params.yaml` has it."""
    values = settings.model_dump()
    parts = (name.split(".") for name in settings.tune.search)
    return {f"{section}.{key}": values[section][key] for section, key in parts}


def distributions(settings: Params) -> dict[str, Any]:
    """Optuna's distribution of each setting that is searched; all hold what it is now.

    Raises:
        ParameterError: Optuna is not installed, or a setting that is searched has no effect.
    """
    optuna = library()
    found = {}
    for name, value in now(settings).items():
        where = _cut_layers(settings) if name == CUT_LAYER else SPACE[name]
        if isinstance(where, Range):
            assert isinstance(value, float)  # held by its section
            low, high = min(where.low, value), max(where.high, value)
            found[name] = optuna.distributions.FloatDistribution(low, high, log=where.log)
        else:
            choices = where if value in where else (*where, value)
            found[name] = optuna.distributions.CategoricalDistribution(choices)
    return found


def rounded(values: Mapping[str, Any], space: Mapping[str, Any]) -> Values:
    """The same, with numbers of few digits that stay where they are looked for."""
    return {
        name: value if hasattr(space[name], "choices") else _round(value, space[name])
        for name, value in values.items()
    }


def tunes(settings: Params) -> bool:
    """Whether a trial runs the fine-tune phase, too."""
    return any(name.startswith("fine_tune.") for name in settings.tune.search)


def require_effect(settings: Params) -> None:
    """Each setting that is searched changes something.

    Raises:
        ParameterError: one does not.
    """
    if tunes(settings) and not settings.fine_tune.epochs:
        raise ParameterError(
            "required: fine_tune.epochs of 1 or more with a key of fine_tune in tune.search; "
            "received: 0. Set fine_tune.epochs, or leave the key out"
        )
    if POOL in settings.tune.search and settings.model.backbone not in STAGED:
        raise ParameterError(
            f"required: {' or '.join(STAGED)} as model.backbone with {POOL} in tune.search; "
            f"received: {settings.model.backbone}. Set another, or leave the key out"
        )


def changed(settings: Params, values: Mapping[str, Value]) -> Params:
    """The same settings with other values of some keys, such as `train.l2`."""
    for name, value in values.items():
        section, key = name.split(".")
        part = getattr(settings, section).model_copy(update={key: value})
        settings = settings.model_copy(update={section: part})
    return settings


def library() -> ModuleType:
    """Optuna, which tells of nothing but what goes wrong.

    Raises:
        ParameterError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ParameterError(
            "required: Optuna, which searches; received: an environment without it. "
            "`make setup` installs it"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _round(value: float, between: Any) -> float:
    low, high = float(between.low), float(between.high)
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)


def _cut_layers(settings: Params) -> Choices:
    """Those around the backbone's default, which is called as `params.yaml` calls it; where the
    pool is searched too, those that suit every choice of it.
    """
    backbone, said = settings.model.backbone, settings.fine_tune.cut_layer
    pool = "stages" if POOL in settings.tune.search else settings.model.pool
    model = settings.model.model_copy(update={"weights": "none", "pool": pool})
    default = default_cut(backbone)
    names = cuts_around(build(model, settings.preprocess, settings.task), backbone)
    called = default if said == default else "auto"
    return tuple(called if name == default else name for name in names)
