"""The whole graph against Keras, on real backbones with random weights."""

import numpy as np
import onnx
import pytest

from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.compression.export import export
from tasks.compression.whole_graph import complete
from tasks.networks import layers, scoring
from tasks.networks.architecture import LOGITS, build
from tasks.networks.gradcam import GradCam
from tasks.serving.session import Session
from tasks.statistics import recalibration

SIZE = 64


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pool"),
    [
        ("EfficientNetLite0", "last"),
        ("EfficientNetLite0", "stages"),
        ("ResNet50", "last"),
        ("VGG16", "last"),
    ],
)
def test_scores_and_heatmaps_are_those_of_the_network(name, pool, tmp_path):
    task = Task(kind="binary", classes=["a", "b"])
    pixels = PixelSettings(size=[SIZE, SIZE], color="grey", window=None)
    network = build(Model(backbone=name, weights="none", dropout=0.2, pool=pool), pixels, task)
    export(network, LOGITS, layers.last_conv_layer(network), tmp_path / "trunk.onnx")
    weights = network.get_layer(LOGITS).get_weights()[0]
    inside = recalibration.identity(task.kind, 1)
    whole = complete(onnx.load(tmp_path / "trunk.onnx"), task.kind, inside, weights)
    onnx.save(whole, tmp_path / "whole.onnx")
    images = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 1)).astype(np.uint8)
    session = Session(tmp_path / "whole.onnx")
    np.testing.assert_allclose(session.scores(images), scoring.score(network, images), atol=1e-4)
    explain = GradCam(network)
    for absent in (False, True):
        _, found = session.heatmaps(images, 0, absent)
        np.testing.assert_allclose(found, explain(images, 0, absent), atol=1e-3)
