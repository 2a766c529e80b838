"""From a network to the file that serves: trunk, int8, whole graph."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest

from tasks.compression import int8
from tasks.compression.export import export
from tasks.compression.int8 import Quantiser, logits
from tasks.compression.whole_graph import complete, head_scores
from tasks.networks.gradcam import GradCam
from tasks.serving.session import Session
from tasks.statistics.recalibration import Recalibration


def make_network() -> keras.Model:
    """What real backbones are made of: BatchNorm, depthwise convolution, residual, ReLU6."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    pixels = keras.Input((32, 32, 1))
    x = layers.Concatenate()([pixels] * 3)
    x = layers.Conv2D(8, 3, 2, use_bias=False)(layers.Rescaling(1 / 128, -1)(x))
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    y = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.ReLU(6, name="maps")(layers.Add()([x, y]))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D(name="pooled")(x))
    x = layers.Dense(3, name="logits")(x)
    return keras.Model(pixels, layers.Activation("softmax", name="scores")(x))


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return make_network()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 32, 32, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def trunk(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("trunk") / "trunk.onnx"
    export(network, "logits", "maps", path)
    return path


AS_IT_IS, COOLED = Recalibration(1.0, ()), Recalibration(2.0, ())
MOVED = Recalibration(2.0, (0.5, -1.0, 0.0))


def whole(network, trunk, tmp_path, inside=AS_IT_IS, kind="multiclass"):
    weights = network.get_layer("logits").get_weights()[0]
    onnx.save(complete(onnx.load(trunk), kind, inside, weights), tmp_path / "whole.onnx")
    return Session(tmp_path / "whole.onnx")


def test_the_file_takes_bytes_and_gives_the_networks_scores(network, trunk, images, tmp_path):
    found = whole(network, trunk, tmp_path).scores(images)
    expected = network.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    graph = onnx.load(tmp_path / "whole.onnx").graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    (image,) = graph.input
    assert (image.name, image.type.tensor_type.elem_type) == ("images", onnx.TensorProto.UINT8)
    assert [output.name for output in graph.output] == ["scores", "maps", "weights"]


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_recalibration_is_inside(network, trunk, images, tmp_path, kind):
    inside = COOLED if kind == "multiclass" else MOVED
    found = whole(network, trunk, tmp_path, inside, kind).scores(images)
    z = logits(trunk, images).astype(float) / 2
    if kind == "multiclass":
        expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    else:
        expected = 1 / (1 + np.exp(-z - [0.5, -1.0, 0.0]))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_the_logits_of_a_trunk_make_the_scores_of_the_whole_file(
    network, trunk, images, tmp_path, kind
):
    inside = COOLED if kind == "multiclass" else MOVED
    expected = whole(network, trunk, tmp_path, inside, kind).scores(images)
    found = head_scores(onnx.load(trunk), kind, inside, logits(trunk, images))
    assert (found == expected).all()


def test_one_image_gets_the_same_scores_as_among_many(network, trunk, images, tmp_path):
    session = whole(network, trunk, tmp_path)
    alone = np.concatenate([session.scores(image[None]) for image in images])
    np.testing.assert_allclose(alone, session.scores(images), atol=1e-6)


@pytest.mark.parametrize("absent", [False, True])
def test_the_heatmap_is_grad_cam(network, trunk, images, tmp_path, absent):
    _, found = whole(network, trunk, tmp_path).heatmaps(images, 1, absent)
    expected = GradCam(network)(images, 1, absent)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.fixture
def quantiser(trunk, images):
    return Quantiser(trunk, images)


def test_what_was_made_before_changes_nothing(quantiser, trunk, images):
    for name in int8._layers(onnx.load(trunk)):
        fresh = Quantiser(trunk, images)._quantised(only=[name])
        assert quantiser._quantised(only=[name]) == fresh


def test_int8_is_close_and_its_weights_are_int8(quantiser, images, tmp_path):
    quantiser.write(tmp_path / "int8.onnx")
    apart = np.abs(logits(quantiser.source, images) - logits(tmp_path / "int8.onnx", images))
    assert 0 < apart.max() < 0.2
    graph = onnx.load(tmp_path / "int8.onnx").graph
    assert any(c.data_type == onnx.TensorProto.INT8 and c.dims for c in graph.initializer)


def test_the_layer_that_int8_spoils_is_found_and_kept_in_float(images, tmp_path):
    """A channel far wider than the others takes nearly all of the 8 bits."""
    network = make_network()
    depthwise = next(x for x in network.layers if isinstance(x, keras.layers.DepthwiseConv2D))
    kernel, bias = depthwise.get_weights()
    kernel[:, :, 0] *= 1000
    depthwise.set_weights([kernel, bias])
    export(network, "logits", "maps", tmp_path / "trunk.onnx")
    quantiser = Quantiser(tmp_path / "trunk.onnx", images)
    ranked = quantiser.by_damage(images[:4])
    names = {n.name: n for n in onnx.load(quantiser.source).graph.node}
    spoiled = {name for name in ranked[:2] if names[name].op_type in ("Conv", "Add")}
    assert len(spoiled) == 2
    truth, apart = logits(quantiser.source, images), []
    for kept in ([], ranked[:2]):
        quantiser.write(tmp_path / "int8.onnx", kept)
        apart.append(np.abs(logits(tmp_path / "int8.onnx", images) - truth).mean())
    assert apart[1] < apart[0] / 3


def test_equal_networks_give_equal_bytes(network, images, tmp_path):
    """The second export has other counters in its names, as another process would."""
    made = set()
    for name in ("first", "second"):
        twin = keras.models.clone_model(network)
        twin.set_weights(network.get_weights())
        source, target = tmp_path / f"{name}.onnx", tmp_path / f"{name}.int8.onnx"
        export(twin, "logits", "maps", source)
        Quantiser(source, images).write(target)
        made.add((source.read_bytes(), target.read_bytes()))
    assert len(made) == 1
