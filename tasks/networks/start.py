"""A network that begins with what a version has learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.common import paths
from tasks.common.errors import WeightsError
from tasks.networks import files, keys
from tasks.networks.architecture import build
from tasks.networks.backbones import ONNX
from tasks.networks.extracting import graph_of

if TYPE_CHECKING:
    import keras

    from tasks.common.params.model import Model
    from tasks.common.params.pixels import PixelSettings
    from tasks.common.params.task import Task


def network(model: Model, pixels: PixelSettings, task: Task) -> keras.Model:
    """The network that `build` makes, with the weights of the version in `data/start`: of a feature
    extractor that a file brings, these are the head's.

    Raises:
        WeightsError: that one is another network, or has another extractor.
    """
    learnt = files.load(paths.START_MODEL)
    # What the start replaces need not be fetched.
    own = model if model.backbone == ONNX else model.model_copy(update={"weights": "none"})
    made = build(own, pixels, task)
    shapes, received = ([w.shape for w in each.weights] for each in (made, learnt))
    if shapes != received or graph_of(made) != graph_of(learnt):
        raise WeightsError(
            f"required: a start that is the network {model.backbone} with pool: {model.pool} of "
            f"params.yaml, with the same file behind model.weights where that is {ONNX}; received: "
            "another. Set model.pool as that version has it, name another version in train.start, "
            "or leave it empty to start afresh"
        )
    made.set_weights(learnt.get_weights())
    return made


def same_weights(one: keras.Model, other: keras.Model) -> bool:
    """Whether two networks compute with the same numbers."""
    return keys.of_arrays(one.get_weights()) == keys.of_arrays(other.get_weights())
