"""Fit what is trainable on a feed: stored activations, or pixels on the fly.

An epoch shows every view of every image once, in an order drawn from (seed, epoch).
The best epoch is the one with the lowest calibrated loss on val (`measuring`), class weights
included: on a small val set AUROC moves in steps and saturates early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import TrainingError
from tasks.common.params.section import STEPS
from tasks.common.progress import Pace
from tasks.networks import device, keys
from tasks.networks.checkpoint import Checkpoint, State, Weights
from tasks.networks.feeds import Examples, Feed, order
from tasks.networks.losses import Loss, Penalty, cross_entropy, penalised
from tasks.networks.measuring import CALIBRATED, Scorer, measured
from tasks.networks.optimisation import adam, follow
from tasks.networks.prediction import JIT
from tasks.networks.steps import Steps

if TYPE_CHECKING:
    from tasks.common.params.fine_tune import FineTune
    from tasks.common.params.train import Train

Metrics = dict[str, float]
CHOSEN_BY = f"val_{CALIBRATED}"
AUROC_THRESHOLDS = 1000  # of the running estimate in training; val is measured exactly


@dataclass(frozen=True)
class Plan:
    """How to fit: `phase` gives epochs, batch size, learning rate and patience; `weights` are those
    of `losses.cross_entropy`, which `penalty` is added to in training. What is measured and kept
    has `average` of the trained weights and the rest of those that the fit began with: that
    generalises better to images of other acquisitions (Wortsman et al. 2022, CVPR). One that is not
    `resumable` begins anew after a kill.
    """

    kind: str
    phase: Train | FineTune
    weights: NDArray[np.float32]
    seed: int
    penalty: Penalty | None = None
    average: float = 1.0
    resumable: bool = True


@dataclass(frozen=True)
class Fitted:
    """What a fit did.

    Attributes:
        epochs: one entry per epoch, of `METRICS`.
        before: loss, accuracy, auroc and calibrated loss on val that it began with.
        checkpoint: to be removed once what was trained is written.
    """

    epochs: list[Metrics]
    before: Metrics
    checkpoint: Checkpoint

    @property
    def loss_before(self) -> float:
        """The calibrated loss on val that it began with."""
        return self.before[CALIBRATED]

    @property
    def better(self) -> bool:
        """Whether its best epoch lowered the calibrated loss on val."""
        return bool(self.epochs) and self.best[CHOSEN_BY] < self.loss_before

    @property
    def learnt(self) -> bool:
        """Whether an epoch lowered the loss on val. Of an untrained network the calibrated loss
        says little: by chance it may rank few images well.
        """
        lowest = min((metrics["val_loss"] for metrics in self.epochs), default=math.inf)
        return self.better or lowest < self.before["loss"]

    @property
    def best(self) -> Metrics:
        """The metrics of the best epoch."""
        return self.epochs[best_epoch(self.epochs) - 1]


def fit(
    model: keras.Model,
    train: Feed,
    val: Examples,
    plan: Plan,
    on_epoch: Callable[[int, Metrics], None],
) -> Fitted:
    """Train `model` and leave it with the weights of its best epoch.

    A fit that was killed goes on after its last full epoch, with the same result, if it is
    resumable.

    Args:
        model: activations to scores; what is trainable is marked so.
        train: what it trains on.
        val: one view per image.
        plan: how to fit.
        on_epoch: called with each finished epoch, from 1, and its metrics.

    Raises:
        TrainingError: the loss is not a number any more, or no checkpoint can be written.
    """
    trainer, start = Trainer(model, train, plan), model.get_weights()
    before = trainer.measure(val)
    checkpoint = Checkpoint(_key(model, train, val, plan), kept=plan.resumable)
    state, pace = checkpoint.load(model), Pace()
    while not trainer.finished(state.history):
        epoch = len(state.history) + 1
        follow(model.optimizer, plan.phase, [metrics[CHOSEN_BY] for metrics in state.history])
        metrics = trainer.one_epoch(epoch)
        with averaged(model, start, plan.average) as weights:
            metrics |= {f"val_{name}": value for name, value in trainer.measure(val).items()}
        _require_finite(metrics, epoch, plan)
        history = [*state.history, metrics]
        best = weights if best_epoch(history) == epoch else state.best
        state = State(history, best)
        if pace.due(epoch, last=trainer.finished(history)):
            line = _line(epoch, trainer.epochs, metrics, best_epoch(history) == epoch)
            print(line, flush=True)
        on_epoch(epoch, metrics)
        checkpoint.save(model, state)
    model.set_weights(state.best)
    return Fitted(state.history, before, checkpoint)


@contextmanager
def averaged(model: keras.Model, start: Weights, share: float) -> Iterator[Weights]:
    """Let `model` have so much of its weights and the rest of `start` for a while: these weights.

    What was not trained stays as it is, to the bit, and so does all with a share of 1.
    """
    trained = model.get_weights()
    if share == 1:
        yield trained
        return
    mean = [a + share * (b - a) for a, b in zip(start, trained, strict=True)]
    model.set_weights(mean)
    yield mean
    model.set_weights(trained)


def compiled(model: keras.Model, train: Feed, plan: Plan) -> keras.Model:
    """What is fitted, compiled, and `model` with the same optimiser."""
    steps = _steps_per_epoch(train, plan)
    optimizer = adam(model, plan.phase, epochs_of(plan.phase, steps) * steps)
    model.compile(optimizer, jit_compile=JIT)
    network = train.network(model)
    with device.scope():
        if device.replicas():  # the same layers, in a network that knows of them
            network = keras.Model(network.input, network.output)
        metrics = _running_metrics(plan.kind, model.output_shape[-1])
        network.compile(optimizer, loss=_trained_by(plan), metrics=metrics, jit_compile=JIT)
    return network


def _running_metrics(kind: str, outputs: int) -> list[keras.metrics.Metric]:
    several = kind == "multiclass"
    accuracy = keras.metrics.CategoricalAccuracy if several else keras.metrics.BinaryAccuracy
    auroc = keras.metrics.AUC(AUROC_THRESHOLDS, multi_label=outputs > 1, name="auroc")
    return [accuracy(name="accuracy"), auroc]


def _trained_by(plan: Plan) -> Loss:
    loss = cross_entropy(plan.kind, plan.weights, plan.phase.label_smoothing)
    return penalised(loss, plan.penalty) if plan.penalty else loss


class Trainer:
    """A model compiled for a plan, with what it trains on.

    Attributes:
        network: what is fitted: the model, or from pixels to its scores.
        epochs: at most.
    """

    def __init__(self, model: keras.Model, train: Feed, plan: Plan) -> None:
        self.network = compiled(model, train, plan)
        self.epochs = epochs_of(plan.phase, _steps_per_epoch(train, plan))
        self._train, self._plan = train, plan
        self._steps, self._scorer = Steps(self.network), Scorer(model, plan.phase.batch_size)

    def one_epoch(self, epoch: int) -> Metrics:
        """Show every view of an epoch, counted from 1; the running metrics."""
        size, examples = self._plan.phase.batch_size, self._train.examples(epoch)
        rows = order(examples.rows, epoch, self._plan.seed)
        together = device.replicas()
        if together:
            return together.one_epoch(self.network, examples.batches(rows, size))
        return self._steps.over(examples, rows, size)

    def finished(self, history: list[Metrics]) -> bool:
        """Whether so many epochs are all, or the best one is further back than the patience."""
        epoch, patience = len(history), self._plan.phase.patience
        return epoch >= self.epochs or (epoch > 0 and epoch - best_epoch(history) >= patience)

    def measure(self, examples: Examples) -> Metrics:
        """What `measured` finds of the model, each image in its first view."""
        scores = self._scorer.scores(examples)
        return measured(self._plan.kind, examples.targets, scores, self._plan.weights)


def epochs_of(phase: Train | FineTune, steps: int) -> int:
    """How many epochs of so many steps each a phase has at most."""
    return max(1, round(STEPS / steps)) if phase.epochs == "auto" else phase.epochs


def best_epoch(history: list[Metrics]) -> int:
    """The epoch, counted from 1, with the lowest calibrated loss on val; the first of equals."""
    return 1 + int(np.argmin([metrics[CHOSEN_BY] for metrics in history]))


def _steps_per_epoch(train: Feed, plan: Plan) -> int:
    return math.ceil(train.examples(1).rows / plan.phase.batch_size)


def _require_finite(metrics: Metrics, epoch: int, plan: Plan) -> None:
    if math.isfinite(metrics["loss"]) and math.isfinite(metrics["val_loss"]):
        return
    raise TrainingError(
        f"required: a finite loss; received: {metrics['loss']} in train and "
        f"{metrics['val_loss']} in val after epoch {epoch}. The usual cause is a learning rate "
        f"too high (learning_rate: {plan.phase.learning_rate:g}; try a tenth of it)"
    )


def _key(model: keras.Model, train: Feed, val: Examples, plan: Plan) -> str:
    sees = [train.key(), val.key(), keys.of_arrays([plan.weights])]
    asked = plan.phase.model_dump(exclude_defaults=True)
    return keys.of_fit(model, sees, [plan.kind, plan.seed, asked])


def _line(epoch: int, epochs: int, metrics: Metrics, best: bool) -> str:
    train, val = (
        f"loss {metrics[f'{prefix}loss']:.4f}  accuracy {metrics[f'{prefix}accuracy']:.3f}  "
        f"AUROC {metrics[f'{prefix}auroc']:.4f}"
        for prefix in ("", "val_")
    )
    return f"Epoch {epoch:>{len(str(epochs))}}/{epochs}  {train}  | val {val}{'  best' * best}"
