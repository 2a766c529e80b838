import keras
import numpy as np
import pytest

from tasks.errors import ParameterError
from tasks.networks import layers
from tasks.networks.backbones import BACKBONES


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_default_cut_splits_the_graph_in_two(make, backbone):
    model = make(backbone)
    prefix, suffix = layers.cut(model, layers.default_cut(backbone))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype(np.float32)
    assert np.allclose(suffix(prefix(pixels)), model(pixels), atol=1e-6)
    assert 0 < suffix.count_params() < model.count_params()


def test_a_cut_inside_a_residual_block_is_refused(make):
    with pytest.raises(ParameterError, match="inside a residual block") as caught:
        layers.cut(make(), "block12_depthwise_conv")
    assert "block11_expand_conv" in str(caught.value)
    assert "block12_project_conv" not in str(caught.value)


def test_an_unknown_cut_layer_is_refused_with_the_names(make):
    with pytest.raises(ParameterError, match="is no layer") as caught:
        layers.cut(make(), "conv99")
    assert "block15_expand_conv" in str(caught.value)


def test_only_the_suffix_is_trained_and_no_batch_normalisation(make):
    model = make()
    _, suffix = layers.cut(model, "block15_expand_conv")
    layers.train_only(model, suffix)
    trained = {v.path.split("/")[0] for v in model.trainable_variables}
    assert trained == {
        "block15_expand_conv",
        "block15_depthwise_conv",
        "block15_project_conv",
        "top_conv",
        "logits",
    }
    assert len(suffix.trainable_variables) == len(model.trainable_variables)


LAST = {
    "EfficientNetLite0": "top_relu",
    "ResNet50": "conv5_block3_out",
    "VGG16": "block5_conv3",
    "DenseNet121": "relu",
    "MobileNetV2": "out_relu",
    "EfficientNetV2B0": "top_activation",
}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_layers_to_look_at(make, backbone):
    model = make(backbone)
    early, late = layers.feature_layers(model)
    assert layers.last_conv_layer(model) == late == LAST[backbone]
    assert model.get_layer(early).output.shape[1] >= 16
    assert isinstance(model.get_layer(early), keras.layers.Layer)
