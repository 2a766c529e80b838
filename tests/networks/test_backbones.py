"""What holds for every backbone; each is built once."""

import keras
import numpy as np
import pytest
from worlds.word_list import require_listed

from tasks.networks import layers
from tasks.networks.backbones import BACKBONES
from tasks.networks.gradcam import GradCam

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


@pytest.fixture(scope="module", params=BACKBONES)
def backbone(request):
    return request.param


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
