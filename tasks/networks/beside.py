"""What stands beside a network that started from a version: that version, and a fresh training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import pandas as pd

from tasks.common import paths
from tasks.networks import data, device, files, recipe, scoring, test_time
from tasks.networks.architecture import build
from tasks.statistics import scores

if TYPE_CHECKING:
    from tasks.common.params.fine_tune import FineTune
    from tasks.common.params.model import Model
    from tasks.common.params.pixels import PixelSettings
    from tasks.common.params.task import Task
    from tasks.networks.recipe import Recipe

NOBODY = pd.DataFrame({"image_id": [], "network": []}, dtype="str")  # where training starts afresh


def train_fresh(
    model: Model, pixels: PixelSettings, task: Task, phase: FineTune, given: Recipe
) -> keras.Model:
    """What the stages would have trained without the start, bit by bit: both phases, the better of
    them on val. Where nothing is learnt, as it began.
    """
    print("A fresh training, to compare with:", flush=True)
    keras.utils.set_random_seed(given.train.seed)
    with device.scope():
        head = build(model, pixels, task)
    recipe.train_head(head, model.backbone, given, _silent, must_learn=False).checkpoint.remove()
    network = files.handed_on(head, given.train.seed)
    later = recipe.fine_tune(network, model.backbone, phase, given, _silent)
    later.checkpoint.remove()
    return network if later.better else head


def score(fresh: keras.Model) -> pd.DataFrame:
    """The score table of the test images by the start and by the fresh network, and in `network`
    by which of the two; both look at the same views as the model.
    """
    rows, images = data.held_out()
    others, views = {"start": files.load(paths.START_MODEL), "fresh": fresh}, test_time.read()
    tables = [
        scores.make(rows, scoring.score(test_time.averaged(network, views), images)).assign(
            network=name
        )
        for name, network in others.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _silent(epoch: int, metrics: dict[str, float]) -> None:
    """Nobody watches its epochs."""
