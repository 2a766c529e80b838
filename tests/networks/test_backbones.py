"""What holds for every backbone; each is built once."""

import keras
import numpy as np
import pytest
from keras import ops
from worlds.word_list import require_listed

from tasks.common.params.model import STAGED
from tasks.networks import layers
from tasks.networks.backbones import BACKBONES
from tasks.networks.folding import folded
from tasks.networks.gradcam import GradCam
from tasks.networks.heatmaps import scaled

LAST = {
    "EfficientNetLite0": ("top_relu", 1),
    "EfficientNetLite1": ("top_relu", 1),
    "EfficientNetLite2": ("top_relu", 1),
    "ResNet50": ("conv5_block3_out", 1),
    "VGG16": ("block5_conv3", 2),
    "DenseNet121": ("relu", 1),
    "MobileNetV2": ("out_relu", 1),
    "EfficientNetV2B0": ("top_activation", 1),
}
UNFOLDED = {"DenseNet121": 62}  # normalisations that no convolution stands before


@pytest.fixture(scope="module", params=BACKBONES)
def backbone(request):
    return request.param


@pytest.fixture(scope="module", params=STAGED)
def staged(request):
    return request.param


@pytest.fixture(scope="module")
def of_stages(make, staged):
    return make(staged, size=64, kind="multiclass", pool="stages")


@pytest.fixture(scope="module")
def model(make, backbone):
    return make(backbone, kind="multiclass")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype(np.uint8)


def test_the_graph_is_flat(model):
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.get_layer("pooled").input.shape[-1] >= 320


def test_its_layers_have_listed_names(model):
    require_listed(model.to_json(), known="null")


def test_the_default_cut_splits_the_graph_in_two(model, backbone, images):
    prefix, suffix = layers.cut(model, layers.default_cut(backbone))
    pixels = images.astype(np.float32)
    assert np.allclose(suffix(prefix(pixels)), model(pixels), atol=1e-6)
    assert 0 < suffix.count_params() < model.count_params()


def test_its_normalisations_fold_into_its_convolutions(model, backbone, images):
    norms = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
    learnt, rng = model.get_weights(), np.random.default_rng(0)
    for norm in norms:
        norm.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in norm.get_weights()])
    fewer, pixels = folded(model), images.astype(np.float32)
    assert len(model.layers) - len(fewer.layers) == len(norms) - UNFOLDED.get(backbone, 0)
    found, expected = fewer(pixels, training=False), model(pixels, training=False)
    model.set_weights(learnt)
    assert np.allclose(found, expected, rtol=1e-4)


def test_other_cuts_lie_around_the_default(model, backbone):
    cuts, default = layers.cuts_around(model, backbone), layers.default_cut(backbone)
    order = list(layers.cut_layers(model))
    assert 1 < len(cuts) <= 3
    assert default in cuts
    assert [order.index(cut) for cut in cuts] == sorted(map(order.index, cuts))


def test_layers_to_look_at(model, backbone):
    last, side = LAST[backbone]
    early, *late = layers.feature_layers(model)
    assert layers.last_conv_layer(model) == last
    assert late == [last] * (side > 1)  # one place shows nothing
    assert model.get_layer(early).output.shape[1] >= 16


def test_it_can_be_explained_when_frozen(model, backbone, images):
    side = LAST[backbone][1]
    model.trainable = False
    heat = GradCam(model)(images, 2, False)
    assert heat.shape == (2, side, side)
    assert ((heat >= 0) & (heat <= 1)).all()


def test_stages_are_pooled_side_by_side(of_stages, staged):
    names = [*BACKBONES[staged].stages, "top_relu"]
    means = [ops.mean(of_stages.get_layer(name).output, axis=(1, 2)) for name in names]
    parts = keras.Model(of_stages.input, [*means, of_stages.get_layer("pooled").output])
    *each, pooled = parts(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1)).astype("f4"))
    assert np.allclose(np.concatenate(each, axis=1), pooled, atol=1e-5)
    assert len({maps.shape[1] for maps in each}) == 4  # each stage has its own count of channels


def test_the_default_cut_comes_before_the_stages(of_stages, staged):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1)).astype(np.float32)
    prefix, suffix = layers.cut(of_stages, layers.default_cut(staged))
    assert np.allclose(suffix(prefix(pixels)), of_stages(pixels), atol=1e-6)
    default, later = layers.cuts_around(of_stages, staged)
    assert default == layers.default_cut(staged) != later


def test_a_heatmap_of_stages_adds_up_to_the_logit(of_stages):
    """Nothing that the head sees is left out: a place's evidence is what it gives to the logit."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1)).astype(np.uint8)
    joined = layers.last_conv_layer(of_stages)
    parts = keras.Model(
        of_stages.input, [of_stages.get_layer(name).output for name in (joined, "logits")]
    )
    maps, logits = (np.asarray(found) for found in parts(pixels.astype(np.float32)))
    evidence = maps @ of_stages.get_layer("logits").get_weights()[0][:, 2]
    assert np.allclose(evidence.mean(axis=(1, 2)), logits[:, 2], atol=1e-4)
    heat = GradCam(of_stages)(pixels, 2, False)
    assert np.allclose(heat, scaled(evidence), atol=1e-4)
    assert layers.feature_layers(of_stages)[1] == "top_relu"


def test_stages_of_sizes_that_are_no_multiples_fit(make):
    assert make(size=72, pool="stages").get_layer("stages").output.shape[1:] == (3, 3, 1904)


def test_the_parameters_know_which_backbones_have_stages(backbone):
    assert (backbone in STAGED) == bool(BACKBONES[backbone].stages)
