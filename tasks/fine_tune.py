"""Stage fine_tune: train on from the cut layer, and keep the better of both phases on val."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import labels, params, paths
from tasks.documents import write_json
from tasks.errors import command
from tasks.networks import data, device, files, history
from tasks.networks.build import DROPOUT
from tasks.networks.fit import Metrics, Plan, best_epoch, compile_for, fit, measure
from tasks.networks.layers import cut, default_cut, train_only
from tasks.networks.losses import class_weights
from tasks.networks.precision import computing
from tasks.shown_live import shown_live

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Outcome:
    """The fine-tune phase: its epochs, and the loss on val that it began with."""

    epochs: list[Metrics]
    head_loss: float

    @property
    def better(self) -> bool:
        """Whether its best epoch beats the head phase on val."""
        return bool(self.epochs) and self.best["val_loss"] < self.head_loss

    @property
    def best(self) -> Metrics:
        """The metrics of the best epoch."""
        return self.epochs[best_epoch(self.epochs) - 1]


def fine_tune(
    model: keras.Model,
    layers: list[str],
    images: data.Data,
    plan: Plan,
    on_epoch: Callable[[int, Metrics], None],
) -> Outcome:
    """Train everything from the first of `layers` on, and leave `model` with the weights of the
    best epoch. Batch normalisation stays as it is.

    The further layers are those that the head phase stored in the same pass.
    """
    _, suffix = cut(model, layers[0])
    train, val = data.feed(model, layers, layers[0], images)
    train_only(model, suffix)
    compile_for(suffix, plan)
    before = measure(suffix, val, plan.phase.batch_size)
    return Outcome(fit(suffix, train, val, plan, on_epoch), before["loss"])


def receipt(
    outcome: Outcome, head: list[Metrics], cut_layer: str, model: keras.Model
) -> dict[str, Any]:
    """What `training.json` says: which phase is kept, and by how much."""
    kept = outcome.epochs if outcome.better else head
    best = best_epoch(kept)
    return {
        "kept": "fine_tune" if outcome.better else "head",
        "cut_layer": cut_layer,
        "best_epoch": best,
        "val_auroc": round(kept[best - 1]["val_auroc"], 6),
        "val_loss": {
            "head": round(outcome.head_loss, 6),
            "fine_tune": round(outcome.best["val_loss"], 6) if outcome.epochs else None,
        },
        "parameters": model.count_params(),
        "fine_tuned_parameters": sum(math.prod(w.shape) for w in model.trainable_variables),
    }


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
        outcome = fine_tune(model, layers, images, plan, on_epoch)
    if device.machine() > 0:
        return
    if outcome.better:
        files.save(model, paths.MODEL)
    else:
        shutil.copyfile(paths.HEAD_MODEL, paths.MODEL)
    history.write(paths.HISTORY, outcome.epochs)
    said = receipt(outcome, history.read(paths.HEAD_HISTORY), layer, model)
    write_json(paths.TRAINING, said)
    print(f"Kept: {said['kept']}, epoch {said['best_epoch']}, val AUROC {said['val_auroc']:.4f}")


if __name__ == "__main__":
    main()
