"""Stage fine_tune: train on from the cut layer, and keep the better of both phases on val."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tasks.common import labels, params, paths
from tasks.common.documents import write_json
from tasks.common.errors import command
from tasks.networks import data, device, files, history
from tasks.networks.architecture import DROPOUT
from tasks.networks.fit import Fitted, Metrics, Plan, best_epoch, fit
from tasks.networks.layers import cut, default_cut, train_only
from tasks.networks.losses import class_weights
from tasks.networks.precision import computing
from tasks.shown_live import shown_live

if TYPE_CHECKING:
    import keras


def fine_tune(
    model: keras.Model,
    layers: list[str],
    images: data.Data,
    plan: Plan,
    on_epoch: Callable[[int, Metrics], None],
) -> Fitted:
    """Train everything from the first of `layers` on, and leave `model` with the weights of the
    best epoch. Batch normalisation stays as it is.

    The further layers are those that the head phase stored in the same pass.
    """
    _, suffix = cut(model, layers[0])
    train, val = data.feed(model, layers, layers[0], images)
    train_only(model, suffix)
    return fit(suffix, train, val, plan, on_epoch)


def receipt(
    fitted: Fitted, head: list[Metrics], cut_layer: str, model: keras.Model
) -> dict[str, Any]:
    """What `training.json` says: which phase is kept, and by how much."""
    kept = fitted.epochs if fitted.better else head
    best = best_epoch(kept)
    return {
        "kept": "fine_tune" if fitted.better else "head",
        "cut_layer": cut_layer,
        "best_epoch": best,
        "val_auroc": round(kept[best - 1]["val_auroc"], 6),
        "val_loss": {
            "head": round(fitted.loss_before, 6),
            "fine_tune": round(fitted.best["val_loss"], 6) if fitted.epochs else None,
        },
        "parameters": model.count_params(),
        "fine_tuned_parameters": sum(math.prod(w.shape) for w in model.trainable_variables),
    }


def _no_better(fitted: Fitted, learning_rate: float) -> str:
    return (
        f"Fine-tuning did not lower the loss on val ({fitted.loss_before:.4f} before, "
        f"{fitted.best['val_loss']:.4f} at best). The usual cause is a learning rate too high "
        f"(fine_tune.learning_rate: {learning_rate:g}) or too few images"
    )


@command
def main() -> None:
    """Read the head phase's model and history; write the kept model, history and receipt."""
    settings = params.load()
    task, phase = settings.task, settings.fine_tune
    device.prepare(settings.train.threads, settings.train.seed, settings.train.devices)
    images = data.read(task)
    outputs = labels.scored(task.kind, task.names)
    weights = class_weights(task.kind, outputs, images.train.targets, settings.train.class_weights)
    with device.scope():
        model = files.load(paths.HEAD_MODEL)
    default = default_cut(settings.model.backbone)
    layer = default if phase.cut_layer == "auto" else phase.cut_layer
    layers = [default, DROPOUT] if layer == default else [layer]
    plan = Plan(task.kind, phase, weights, settings.train.seed)
    with shown_live("fine_tune") as on_epoch, computing(model, settings.train.precision):
        fitted = fine_tune(model, layers, images, plan, on_epoch)
    if device.machine() > 0:
        return
    said = receipt(fitted, history.read(paths.HEAD_HISTORY), layer, model)
    with files.writing():
        if fitted.better:
            files.save(model, paths.MODEL)
        else:
            shutil.copyfile(paths.HEAD_MODEL, paths.MODEL)
        history.write(paths.HISTORY, fitted.epochs)
        write_json(paths.TRAINING, said)
    fitted.checkpoint.remove()
    if fitted.epochs and not fitted.better:
        print(_no_better(fitted, phase.learning_rate))
    print(f"Kept: {said['kept']}, epoch {said['best_epoch']}, val AUROC {said['val_auroc']:.4f}")


if __name__ == "__main__":
    main()
