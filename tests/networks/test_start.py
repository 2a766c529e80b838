"""A start of which a file brings the features: the head goes on."""

import numpy as np
import pytest
from worlds import extractors

from tasks.common import editing, paths
from tasks.common.errors import WeightsError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks import files, start
from tasks.networks.architecture import LOGITS, build


def made_for(mean):
    settings = {
        "model.backbone": "onnx",
        "model.weights": str(extractors.vit(paths.root() / "vit.onnx")),
        "model.onnx": {"mean": [mean], "std": [0.2]},
        "preprocess.size": [32, 32],
        "fine_tune.epochs": 0,
    }
    editing.set_values(paths.PARAMS, settings)
    params = load(Params)
    return params.model, params.preprocess, params.task


def test_the_head_goes_on_behind_the_same_extractor_alone(workspace):
    learnt = build(*made_for(0.2))
    learnt.get_layer(LOGITS).bias.assign([7.0])
    files.save(learnt, paths.START_MODEL)
    begun = start.network(*made_for(0.2))
    pixels = np.full((2, 32, 32, 1), 90.0, np.float32)
    np.testing.assert_array_equal(begun(pixels), learnt(pixels))
    assert begun.get_layer(LOGITS).bias.numpy() == [7.0]
    with pytest.raises(WeightsError, match="with the same file"):
        start.network(*made_for(0.3))
