"""Stage fine_tune: train on from the cut layer, and keep the better of both phases on val."""

from __future__ import annotations

import math
import shutil
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from pydantic import model_validator

from tasks.common import paths, start
from tasks.common.documents import replace, write_json
from tasks.common.errors import command
from tasks.common.params.fine_tune import FineTune
from tasks.common.params.loading import load
from tasks.common.params.model import Model, require_frozen
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.networks import beside, data, device, extracting, files, history, recipe
from tasks.networks import start as starting
from tasks.networks.fit import CHOSEN_BY, Fitted, Metrics, best_epoch
from tasks.registry.live_runs import shown_live

if TYPE_CHECKING:
    import keras


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    model: Model
    preprocess: PixelSettings
    train: Train
    fine_tune: FineTune

    @model_validator(mode="after")
    def _onnx_is_not_fine_tuned(self) -> Self:
        require_frozen(self.model, self.fine_tune.epochs)
        return self


def receipt(
    fitted: Fitted, head: list[Metrics], cut_layer: str, model: keras.Model
) -> dict[str, Any]:
    """What `training.json` says: which phase is kept, by how much, and what has computed.

    Args:
        fitted: the fine-tune phase.
        head: epochs of the head phase; none where it has left the weights that it began with.
        cut_layer: where fine-tuning began.
        model: the network.
    """
    kept = fitted.epochs if fitted.better else head
    best = best_epoch(kept) if kept else 0
    auroc = kept[best - 1]["val_auroc"] if kept else fitted.before["auroc"]
    return {
        "kept": "fine_tune" if fitted.better else "head" if head else "start",
        "cut_layer": cut_layer,
        "best_epoch": best,
        "val_auroc": round(auroc, 6),
        CHOSEN_BY: {
            "head": round(fitted.loss_before, 6),
            "fine_tune": round(fitted.best[CHOSEN_BY], 6) if fitted.epochs else None,
        },
        "backend": device.NAME,
        "parameters": extracting.parameters(model),
        "fine_tuned_parameters": sum(math.prod(w.shape) for w in model.trainable_variables),
    }


def _no_better(fitted: Fitted, learning_rate: float) -> str:
    return (
        f"Fine-tuning did not lower the calibrated loss on val ({fitted.loss_before:.4f} before, "
        f"{fitted.best[CHOSEN_BY]:.4f} at best). The usual cause is a learning rate too high "
        f"(fine_tune.learning_rate: {learning_rate:g}) or too few images"
    )


def _beside(settings: Settings, given: recipe.Recipe, first_machine: bool) -> pd.DataFrame:
    """The score table of what a network that started from a version is compared with."""
    if settings.train.start is None:
        return beside.NOBODY
    made_for = settings.model, settings.preprocess, settings.task
    fresh = beside.train_fresh(*made_for, settings.fine_tune, given)
    return beside.score(fresh) if first_machine else beside.NOBODY


def _start(phase: Train) -> dict[str, Any] | None:
    """The version that training started from, if from one."""
    return None if phase.start is None else start.read(phase.start).told()


def _of_head(settings: Settings, model: keras.Model) -> list[Metrics]:
    """The epochs of the head phase, if one of them gave the weights of `model`."""
    if settings.train.start is not None and starting.same_weights(
        model, files.load(paths.START_MODEL)
    ):
        return []
    return history.read(paths.HEAD_HISTORY)


@command
def main() -> None:
    """Read the head phase's model and history, and the start; write the kept model, history,
    receipt, and the scores of what it is compared with.
    """
    settings = load(Settings)
    backbone, phase = settings.model.backbone, settings.fine_tune
    device.prepare(settings.train.threads, settings.train.seed, settings.train.devices)
    given = recipe.of_data(settings.task, settings.train, data.read(settings.task))
    with device.scope():
        model = files.load(paths.HEAD_MODEL)
    first_machine, head = device.machine() == 0, _of_head(settings, model)
    with shown_live("fine_tune", first_machine) as on_epoch:
        fitted = recipe.fine_tune(model, backbone, phase, given, on_epoch)
    others = _beside(settings, given, first_machine)
    if not first_machine:
        return
    cut_layer = recipe.cut_layer(backbone, phase)
    said = receipt(fitted, head, cut_layer, model) | {"start": _start(settings.train)}
    with files.writing():
        if fitted.better:
            files.save(model, paths.MODEL)
        else:
            shutil.copyfile(paths.HEAD_MODEL, paths.MODEL)
        history.write(paths.HISTORY, fitted.epochs)
        write_json(paths.TRAINING, said)
        replace(paths.BESIDE, lambda draft: others.to_parquet(draft, index=False))
    fitted.checkpoint.remove()
    if fitted.epochs and not fitted.better:
        print(_no_better(fitted, phase.learning_rate))
    print(f"Kept: {said['kept']}, epoch {said['best_epoch']}, val AUROC {said['val_auroc']:.4f}")


if __name__ == "__main__":
    main()
