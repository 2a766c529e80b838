"""Feature extractors that are brought as ONNX, within a network."""

from __future__ import annotations

import shutil
import warnings

import keras
import numpy as np
import onnx
import pytest
from worlds import extractors

from tasks.common.errors import ParameterError
from tasks.common.params.model import Model, OnnxPixels
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.compression.export import export
from tasks.compression.whole_graph import complete
from tasks.networks import (
    augmentation,
    device,
    extracting,
    files,
    layers,
    methods,
    precision,
    scoring,
)
from tasks.networks.architecture import LOGITS, build
from tasks.networks.augmentation import PRESETS
from tasks.networks.feeds import OnTheFly
from tasks.networks.gradcam import GradCam
from tasks.networks.prefix import Prefix
from tasks.networks.views import Views
from tasks.serving.session import Session
from tasks.statistics import recalibration

SIZE = 32
TASK = Task(kind="binary", classes=["a", "b"])
HALF = OnnxPixels(mean=[0.5], std=[0.5])


def brought(path, pixels=HALF, color="grey", size=SIZE):
    """The network of an ONNX file."""
    return build(
        Model(backbone="onnx", weights=str(path), onnx=pixels, dropout=0.2),
        PixelSettings(size=[size, size], color=color, window=None),
        TASK,
    )


def served(network, folder):
    """The session of the file that would serve."""
    maps, extractor = layers.last_conv_layer(network), extracting.graph_of(network)
    export(network, LOGITS, maps, folder / "trunk.onnx", extractor)
    weights = network.get_layer(LOGITS).get_weights()[0]
    inside = recalibration.identity(TASK.kind, 1)
    whole = complete(onnx.load(folder / "trunk.onnx"), TASK.kind, inside, weights)
    onnx.save(whole, folder / "whole.onnx")
    return Session(folder / "whole.onnx")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return extractors.vit(tmp_path_factory.mktemp("vit") / "vit.onnx")


@pytest.fixture(scope="module")
def of_keras(tmp_path_factory):
    """A network of Keras, and its backbone as somebody else would bring it, with maps."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Concatenate()([pixels] * 3)
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(x)
    mobile = keras.applications.MobileNet(
        input_shape=(SIZE, SIZE, 3), alpha=0.25, include_top=False, weights=None
    )
    mobile = keras.Model(mobile.input, mobile.get_layer("conv_pw_6_relu").output)
    for layer in mobile.layers:  # statistics as after training: else all maps fade to nothing
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, beta + 0.3, mean, variance * 0.05])
    x = keras.layers.GlobalAveragePooling2D()(mobile(x))
    scores = keras.layers.Dense(1, "sigmoid")(x)
    path = tmp_path_factory.mktemp("keras") / "mobile.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mobile.export(path, format="onnx", verbose=False)
    return keras.Model(pixels, scores), path


def test_a_backbone_of_keras_scores_as_it_does_there(of_keras, images, tmp_path):
    network, path = of_keras
    twin = brought(path)
    twin.get_layer(LOGITS).set_weights(network.layers[-1].get_weights())
    found = scoring.score(twin, images)
    assert found.std() > 0.005
    np.testing.assert_allclose(found, scoring.score(network, images), atol=1e-4)
    np.testing.assert_allclose(served(twin, tmp_path).scores(images), found, atol=1e-4)


def test_maps_make_the_same_heatmaps_in_the_network_and_where_it_serves(images, tmp_path):
    network = brought(extractors.vit(tmp_path / "maps.onnx", maps=True))
    assert methods.usual(network) == "gradcam"
    assert layers.feature_layers(network) == ["maps"]
    heat = GradCam(network)(images, 0, False)
    assert heat.shape == (40, SIZE // extractors.PATCH, SIZE // extractors.PATCH)
    np.testing.assert_allclose(methods.explainer(network, "cam")(images, 0, False), heat, atol=1e-5)
    _, found = served(network, tmp_path).heatmaps(images, 0, False)
    np.testing.assert_allclose(found, heat, atol=1e-3)


def test_features_without_places_are_explained_by_occlusion(vit, images, tmp_path):
    network = brought(vit)
    assert methods.usual(network) == "occlusion"
    assert layers.feature_layers(network) == []
    with pytest.raises(ParameterError, match="--method occlusion"):
        methods.explainer(network, "gradcam")
    found = scoring.score(network, images)
    np.testing.assert_allclose(served(network, tmp_path).scores(images), found, atol=1e-5)


@pytest.mark.parametrize("opset", [13, 21])
def test_files_of_older_and_of_newer_operators_are_joined_with_a_head(images, tmp_path, opset):
    network = brought(extractors.convolution(tmp_path / "features.onnx", opset=opset))
    found = scoring.score(network, images)
    np.testing.assert_allclose(served(network, tmp_path).scores(images), found, atol=1e-5)


def test_a_saved_network_needs_no_other_file_and_its_bytes_repeat(images, tmp_path):
    network = brought(extractors.vit(tmp_path / "vit.onnx"))
    (tmp_path / "vit.onnx").unlink()
    for name in ("one", "two"):
        files.save(network, tmp_path / f"{name}.keras")
    again = files.load(tmp_path / "one.keras")
    assert (scoring.score(again, images) == scoring.score(network, images)).all()
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()


def test_colours_go_in_the_order_that_the_file_wants(tmp_path):
    path = extractors.vit(tmp_path / "vit.onnx")
    pixels = np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE, 3)).astype(np.uint8)
    rgb, bgr = (
        brought(path, OnnxPixels(mean=mean, std=[0.2, 0.3, 0.4], channels=order), "rgb")
        for mean, order in (([0.1, 0.2, 0.3], "rgb"), ([0.1, 0.2, 0.3], "bgr"))
    )
    turned = brought(path, OnnxPixels(mean=[0.3, 0.2, 0.1], std=[0.4, 0.3, 0.2]), "rgb")
    for other in (bgr, turned):
        other.set_weights(rgb.get_weights())
    assert not np.allclose(scoring.score(bgr, pixels), scoring.score(rgb, pixels), atol=1e-3)
    expected = scoring.score(turned, pixels[..., ::-1])
    np.testing.assert_allclose(scoring.score(bgr, pixels), expected, atol=1e-6)


def test_what_is_stored_goes_by_file_normalisation_and_runtime(vit, images, tmp_path, monkeypatch):
    plain = [augmentation.plain(len(images))]

    def key(network):
        return Prefix(network, ["dropout"]).key(images, plain)

    same = key(brought(vit))
    assert same == key(brought(vit))
    other = extractors.vit(tmp_path / "other.onnx", maps=True)
    assert same != key(brought(other))
    assert same != key(brought(vit, OnnxPixels(mean=[0.4], std=[0.5])))
    monkeypatch.setattr(extracting.running, "runtime", lambda: "onnxruntime 0.1")
    assert same != key(brought(vit))


@pytest.mark.parametrize(("asked", "said"), [("mixed_bfloat16", 1), ("auto", 0), ("float32", 0)])
def test_its_precision_is_that_of_the_file_and_nothing_else_is_said(
    vit, capsys, monkeypatch, asked, said
):
    monkeypatch.setattr(device.backend, "gains_from_bfloat16", lambda: True)
    network = brought(vit)
    with precision.computing(network, asked):
        assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    expected = "ONNX Runtime computes the backbone, in the types of its file\n"
    assert capsys.readouterr().out == expected * said


def test_a_pass_is_found_again_and_repeats_to_the_bit(vit, images, repeatable, capsys):
    drawn = [augmentation.draw(PRESETS["tutorial"], 5, map(str, range(len(images))), (SIZE, SIZE))]
    (first,) = Prefix(brought(vit), ["dropout"]).activations(images, drawn, "Views")
    kept = np.array(first)
    (found,) = Prefix(brought(vit), ["dropout"]).activations(images, drawn, "Views")
    assert "stored activations found" in capsys.readouterr().out
    shutil.rmtree(repeatable)
    (again,) = Prefix(brought(vit), ["dropout"]).activations(images, drawn, "Views")
    assert np.array_equal(found, kept)
    assert np.array_equal(again, kept)


def test_on_the_fly_it_gives_what_is_stored(vit, images):
    network = brought(vit)
    views = Views("tutorial", 3, 1, None, tuple(map(str, range(len(images)))), (SIZE, SIZE))
    frozen, _ = layers.cut(network, "dropout")
    head = keras.Model(network.get_layer("dropout").input, network.output)
    feed = OnTheFly(frozen, images, np.zeros((len(images), 1), np.float32), views)
    rows = np.arange(len(images))
    inputs, _ = feed.examples(1).batches(rows, len(images))[0]
    (stored,) = Prefix(network, ["dropout"]).activations(images, views.draw(0), "Views")
    found = feed.network(head)(inputs)
    np.testing.assert_allclose(found, head(np.asarray(stored, np.float32)), atol=1e-5)
