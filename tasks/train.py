"""Stage train: train the head on a frozen backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.common import manifest, paths, start
from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.networks import data, device, files, history, recipe
from tasks.networks import start as starting
from tasks.networks.architecture import build
from tasks.networks.fit import CHOSEN_BY, Fitted, best_epoch
from tasks.registry.live_runs import shown_live

if TYPE_CHECKING:
    import keras


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    model: Model
    preprocess: PixelSettings
    train: Train


def begin(settings: Settings) -> keras.Model:
    """The network where training begins.

    Raises:
        MedloopError: the version that it is to start from does not suit; what its backbone begins
            with cannot be had.
    """
    phase, made_for = settings.train, (settings.model, settings.preprocess, settings.task)
    if phase.start is None:
        return build(*made_for)
    found = start.read(phase.start)
    start.require_suits(found, settings.task, settings.model.backbone, settings.preprocess)
    start.require_no_leak(found, manifest.read_manifest())
    print(f"Training starts from {found.name}", flush=True)
    return starting.network(*made_for)


def _told(fitted: Fitted, from_version: bool) -> str:
    if from_version and not fitted.better:
        lowest, before = fitted.best[CHOSEN_BY], fitted.loss_before
        return (
            f"No epoch lowered the loss on val ({before:.4f} before, {lowest:.4f} at best): the "
            "weights that training started from stay"
        )
    best, last = best_epoch(fitted.epochs), len(fitted.epochs)
    return f"Best epoch {best} of {last}: val AUROC {fitted.best['val_auroc']:.4f}"


@command
def main() -> None:
    """Read manifest, pack, views and the start; write the head phase's model and history."""
    settings = load(Settings)
    phase = settings.train
    device.prepare(phase.threads, phase.seed, phase.devices)
    given = recipe.of_data(settings.task, phase, data.read(settings.task))
    with device.scope():
        model = begin(settings)
    first_machine = device.machine() == 0
    with shown_live("train", first_machine) as on_epoch:
        fitted = recipe.train_head(
            model, settings.model.backbone, given, on_epoch, must_learn=phase.start is None
        )
    if not first_machine:
        return
    with files.writing():
        files.save(model, paths.HEAD_MODEL)
        history.write(paths.HEAD_HISTORY, fitted.epochs)
    fitted.checkpoint.remove()
    print(_told(fitted, phase.start is not None))


if __name__ == "__main__":
    main()
