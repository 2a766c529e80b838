"""The file that looks at views says what the network says that does."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import version_converter

from tasks.common.errors import ParameterError
from tasks.compression.export import export
from tasks.compression.int8 import Quantiser, logits
from tasks.compression.test_time import RENAMED, averaged
from tasks.compression.whole_graph import complete, head_scores
from tasks.networks import augmentation, test_time
from tasks.networks.augmentation import Preset
from tasks.serving.session import Session, batch_size
from tasks.statistics.recalibration import Recalibration

IMAGE = (24, 40, 3)  # sides apart, so that x and y cannot be taken for each other
PRESET = Preset(rotation=30, shift=0.2, zoom=0.2, flip_left_right=True, flip_up_down=True)
AFFINE = augmentation.draw(PRESET, 5, ["a", "b", "c"], IMAGE[:2]).affine


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    pixels = keras.Input(IMAGE)
    x = layers.Rescaling(1 / 128, -1)(pixels)
    x = layers.Conv2D(8, 3, 2, activation="relu", name="maps")(x)
    x = layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D(name="pooled")(x))
    return keras.Model(pixels, layers.Activation("softmax", name="scores")(x))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Bright on one side, so that views differ."""
    noise = np.random.default_rng(0).integers(0, 120, (37, *IMAGE))
    return (noise + np.linspace(0, 130, IMAGE[1])[:, None]).astype(np.uint8)


@pytest.fixture(scope="module")
def trunk(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("trunk") / "trunk.onnx"
    export(network, "logits", "maps", path)
    return path


def of_network(network, images):
    judges = test_time.averaged(network, AFFINE)
    return judges.predict(images.astype(np.float32), verbose=0)


def softmax(values):
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("opset", [None, RENAMED])
def test_it_gives_the_mean_of_the_logits(network, images, trunk, opset):
    graph = onnx.load(trunk)
    if opset:  # as a file for a feature extractor may have it
        graph = version_converter.convert_version(graph, opset)
    whole = averaged(graph, AFFINE, IMAGE).SerializeToString()
    found = softmax(logits(whole, images))
    np.testing.assert_allclose(found, of_network(network, images), atol=1e-5)
    assert np.abs(found - softmax(logits(trunk, images))).max() > 1e-3
    np.testing.assert_allclose(logits(whole, images[4:5]), logits(whole, images)[4:5], atol=1e-6)


def test_the_maps_are_those_of_the_image_itself(images, trunk):
    def maps(graph):
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        return session.run(["maps"], {"images": images.astype(np.float32)})[0]

    plain = onnx.load(trunk)
    found = maps(averaged(plain, AFFINE, IMAGE))
    assert found.shape == (37, 11, 19, 8)
    np.testing.assert_allclose(found, maps(plain), atol=1e-6)


def test_int8_stays_inside(network, images, trunk, tmp_path):
    Quantiser(trunk, images[:8]).write(tmp_path / "int8.onnx")
    whole = averaged(onnx.load(tmp_path / "int8.onnx"), AFFINE, IMAGE)
    assert "QuantizeLinear" in {node.op_type for node in whole.graph.node}
    found = softmax(logits(whole.SerializeToString(), images))
    np.testing.assert_allclose(found, of_network(network, images), atol=0.02)


def test_the_whole_file_runs_fewer_images_at_once(network, images, trunk, tmp_path):
    weights = network.get_layer("logits").get_weights()[0]
    inside = Recalibration(1.0, ())
    seen = averaged(onnx.load(trunk), AFFINE, IMAGE)
    onnx.save(complete(seen, "multiclass", inside, weights), tmp_path / "whole.onnx")
    session = Session(tmp_path / "whole.onnx")
    found = session.scores(images)
    np.testing.assert_allclose(found, of_network(network, images), atol=1e-5)
    said = logits(seen.SerializeToString(), images)
    np.testing.assert_array_equal(head_scores(seen, "multiclass", inside, said), found)
    scores, heat = session.heatmaps(images, 1, False)
    np.testing.assert_array_equal(scores, found)
    assert heat.shape == (37, 11, 19)
    metadata = onnxruntime.InferenceSession(tmp_path / "whole.onnx").get_modelmeta()
    assert batch_size(metadata.custom_metadata_map) == 8  # four looks at each
    assert batch_size({}) == 32


def test_a_graph_of_an_old_form_says_what_helps(trunk, monkeypatch):
    def fail(*_):
        raise RuntimeError("no adapter for Old")

    monkeypatch.setattr("onnx.version_converter.convert_version", fail)
    with pytest.raises(ParameterError, match=r"received: opset 15, .*no adapter for Old\. Export"):
        averaged(onnx.load(trunk), AFFINE, IMAGE)


def test_without_views_the_trunk_stays(trunk):
    graph = onnx.load(trunk)
    assert averaged(graph, AFFINE[:0], IMAGE) is graph
