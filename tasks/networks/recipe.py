"""One training, as the stages run it and whoever compares or searches: its two phases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common import labels, paths
from tasks.common.errors import TrainingError
from tasks.networks import device, passes
from tasks.networks.architecture import DROPOUT, LOGITS
from tasks.networks.feeds import Examples, Feed
from tasks.networks.fit import Fitted, Metrics, Plan, fit
from tasks.networks.head import fold, normalised
from tasks.networks.layers import cut, default_cut, train_only
from tasks.networks.losses import class_weights, penalty
from tasks.networks.precision import computing

if TYPE_CHECKING:
    from tasks.common.params.fine_tune import FineTune
    from tasks.common.params.task import Task
    from tasks.common.params.train import Train

OnEpoch = Callable[[int, Metrics], None]


class Recipe(NamedTuple):
    """What both phases share.

    Attributes:
        kind: of the task.
        images: the data, in their views.
        weights: of the classes, as `losses.cross_entropy` takes them.
        train: threads, precision and seed hold for both phases, the rest for the head phase.
        resumable: whether a phase that was killed goes on where it was.
    """

    kind: str
    images: passes.Data
    weights: NDArray[np.float32]
    train: Train
    resumable: bool = True

    def plan(self, phase: Train | FineTune) -> Plan:
        """How to fit in a phase."""
        return Plan(self.kind, phase, self.weights, self.train.seed, resumable=self.resumable)


def of_data(task: Task, train: Train, images: passes.Data) -> Recipe:
    """The recipe for given data."""
    outputs = labels.scored(task.kind, task.names)
    weights = class_weights(task.kind, outputs, images.train.targets, train.class_weights)
    return Recipe(task.kind, images, weights, train)


def train_head(
    model: keras.Model, backbone: str, recipe: Recipe, on_epoch: OnEpoch, must_learn: bool = True
) -> Fitted:
    """The head phase: train everything after pooling, and leave `model` with the best epoch's
    weights; where none is better than those it began with and none need be, with these.

    The pass through the backbone also stores what arrives at its default cut layer, so that
    fine-tuning need not run it again.

    Raises:
        TrainingError: nothing was learnt, and must be.
    """
    plan = recipe.plan(recipe.train)
    with computing(model, recipe.train.precision):
        layers = [default_cut(backbone), DROPOUT]
        train, val = passes.feed(model, layers, DROPOUT, recipe.images)
        _, head = cut(model, DROPOUT)
        train_only(model, head)
        began = head.get_weights()
        fitted = _fit_head(head, train, val, recipe, on_epoch)
        if not must_learn and not fitted.better:
            head.set_weights(began)
    if must_learn:
        _require_learnt(fitted, plan)
    return fitted


def fine_tune(
    model: keras.Model, backbone: str, phase: FineTune, recipe: Recipe, on_epoch: OnEpoch
) -> Fitted:
    """The fine-tune phase: train everything from the cut layer on, and leave `model` with the
    weights of the best epoch. Batch normalisation stays as it is.
    """
    layer = cut_layer(backbone, phase)
    # What the head phase stored in the same pass is asked for again in the same way.
    layers = [layer, DROPOUT] if layer == default_cut(backbone) else [layer]
    with computing(model, recipe.train.precision):
        _, suffix = cut(model, layer)
        train, val = passes.feed(model, layers, layer, recipe.images)
        train_only(model, suffix)
        plan = replace(recipe.plan(phase), average=phase.average)
        return fit(suffix, train, val, plan, on_epoch)


def cut_layer(backbone: str, phase: FineTune) -> str:
    """The first layer that the fine-tune phase trains."""
    return default_cut(backbone) if phase.cut_layer == "auto" else phase.cut_layer


def _fit_head(
    head: keras.Model, train: Feed, val: Examples, recipe: Recipe, on_epoch: OnEpoch
) -> Fitted:
    """Fit the head, with its penalties and behind a normalisation where these are asked for."""
    phase, plan = recipe.train, recipe.plan(recipe.train)
    if phase.l1 or phase.l2:
        kernel = head.get_layer(LOGITS).kernel
        plan = replace(plan, penalty=penalty(kernel, phase.l1, phase.l2))
    if not phase.batch_normalisation:
        return fit(head, train, val, plan, on_epoch)
    if device.replicas():
        raise TrainingError(
            "required: train.devices: 1 with train.batch_normalisation, which needs the statistics "
            f"of whole batches; received: {device.count()}"
        )
    network = normalised(head)
    fitted = fit(network, train, val, plan, on_epoch)
    fold(network)
    return fitted


def _require_learnt(fitted: Fitted, plan: Plan) -> None:
    if fitted.learnt:
        return
    lowest = min(metrics["val_loss"] for metrics in fitted.epochs)
    raise TrainingError(
        f"required: a loss on val below {fitted.before['loss']:.4f}, where training began; "
        f"received: {lowest:.4f} at best in {len(fitted.epochs)} epochs. Nothing "
        "was learnt. The usual causes: labels that do not go with the images (look at "
        f"{paths.CONTACT_SHEET} and at the labels of the source), a learning rate too high or too "
        f"low (train.learning_rate: {plan.phase.learning_rate:g}), or too few images "
        f"({paths.SPLIT_RECEIPT})"
    )
