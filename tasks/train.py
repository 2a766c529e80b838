"""Stage train: train the head on a frozen backbone."""

from __future__ import annotations

from tasks.common import paths
from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.networks import data, device, files, history, recipe
from tasks.networks.architecture import build
from tasks.networks.fit import best_epoch
from tasks.registry.live_runs import shown_live


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    model: Model
    preprocess: PixelSettings
    train: Train


@command
def main() -> None:
    """Read manifest, pack and views; write the head phase's model and history."""
    settings = load(Settings)
    phase = settings.train
    device.prepare(phase.threads, phase.seed, phase.devices)
    given = recipe.of_data(settings.task, phase, data.read(settings.task))
    with device.scope():
        model = build(settings.model, settings.preprocess, settings.task)
    first_machine = device.machine() == 0
    with shown_live("train", first_machine) as on_epoch:
        fitted = recipe.train_head(model, settings.model.backbone, given, on_epoch)
    if not first_machine:
        return
    with files.writing():
        files.save(model, paths.HEAD_MODEL)
        history.write(paths.HEAD_HISTORY, fitted.epochs)
    fitted.checkpoint.remove()
    best, last = best_epoch(fitted.epochs), len(fitted.epochs)
    print(f"Best epoch {best} of {last}: val AUROC {fitted.best['val_auroc']:.4f}")


if __name__ == "__main__":
    main()
