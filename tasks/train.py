"""Stage train: train the head on a frozen backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tasks.common import labels, params, paths
from tasks.common.errors import TrainingError, command
from tasks.networks import data, device, files, history
from tasks.networks.architecture import DROPOUT, build
from tasks.networks.fit import Fitted, Metrics, Plan, best_epoch, fit
from tasks.networks.layers import cut, default_cut, train_only
from tasks.networks.losses import class_weights
from tasks.networks.precision import computing
from tasks.shown_live import shown_live

if TYPE_CHECKING:
    import keras


def train_head(
    model: keras.Model,
    backbone: str,
    images: data.Data,
    plan: Plan,
    on_epoch: Callable[[int, Metrics], None],
) -> Fitted:
    """Train everything after pooling and leave `model` with the best epoch's weights.

    The pass through the backbone also stores what arrives at its default cut layer, so that
    fine-tuning need not run it again.

    Raises:
        TrainingError: nothing was learnt.
    """
    train, val = data.feed(model, [default_cut(backbone), DROPOUT], DROPOUT, images)
    _, head = cut(model, DROPOUT)
    train_only(model, head)
    fitted = fit(head, train, val, plan, on_epoch)
    _require_better(fitted, plan)
    return fitted


def _require_better(fitted: Fitted, plan: Plan) -> None:
    if fitted.better:
        return
    raise TrainingError(
        f"required: a loss on val below {fitted.loss_before:.4f}, where training began; received: "
        f"{fitted.best['val_loss']:.4f} at best in {len(fitted.epochs)} epochs. Nothing was "
        "learnt. The usual causes: labels that do not go with the images (look at "
        f"{paths.CONTACT_SHEET} and at the labels of the source), a learning rate too high or too "
        f"low (train.learning_rate: {plan.phase.learning_rate:g}), or too few images "
        f"({paths.SPLIT_RECEIPT})"
    )


@command
def main() -> None:
    """Read manifest, pack and views; write the head phase's model and history."""
    settings = params.load()
    task, phase = settings.task, settings.train
    device.prepare(phase.threads, phase.seed, phase.devices)
    images = data.read(task)
    outputs = labels.scored(task.kind, task.names)
    weights = class_weights(task.kind, outputs, images.train.targets, phase.class_weights)
    with device.scope():
        model = build(settings.model, settings.preprocess, task)
    plan = Plan(task.kind, phase, weights, phase.seed)
    with shown_live("train") as on_epoch, computing(model, phase.precision):
        fitted = train_head(model, settings.model.backbone, images, plan, on_epoch)
    if device.machine() > 0:
        return
    with files.writing():
        files.save(model, paths.HEAD_MODEL)
        history.write(paths.HEAD_HISTORY, fitted.epochs)
    fitted.checkpoint.remove()
    best, of = best_epoch(fitted.epochs), len(fitted.epochs)
    print(f"Best epoch {best} of {of}: val AUROC {fitted.best['val_auroc']:.4f}")


if __name__ == "__main__":
    main()
