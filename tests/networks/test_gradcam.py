import keras
import numpy as np
import pytest
from keras import layers

from tasks.networks.gradcam import heatmaps


def a_pixel_counts(sign):
    """A network whose logit is the mean brightness, times `sign`."""
    pixels = keras.Input((8, 8, 1))
    x = layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", name="conv")(pixels)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    x = layers.Dense(1, kernel_initializer="ones", name="logits")(x)
    model = keras.Model(pixels, layers.Activation("sigmoid", name="scores")(x))
    model.get_layer("logits").set_weights([np.array([[sign]]), np.zeros(1)])
    return model


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(1, 256, (40, 8, 8, 1)).astype(np.uint8)


def test_heat_is_where_the_evidence_is(images):
    heat = heatmaps(a_pixel_counts(1.0), images, 0)
    expected = images[..., 0] / images.max(axis=(1, 2, 3))[:, None, None]
    assert heat.dtype == np.float32
    assert np.allclose(heat, expected, atol=1e-6)


def test_a_saturated_score_still_shows_its_evidence(images):
    assert heatmaps(a_pixel_counts(1e4), images, 0).max() == 1


def test_without_evidence_there_is_no_heat(images):
    assert not heatmaps(a_pixel_counts(-1.0), images, 0).any()
