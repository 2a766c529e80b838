import keras
import numpy as np
import pytest

from tasks.common.errors import ParameterError


@pytest.mark.parametrize(("kind", "outputs"), [("binary", 1), ("multiclass", 3), ("multilabel", 3)])
def test_outputs_fit_the_task(make, kind, outputs):
    model = make(kind=kind)
    scores = np.asarray(model(np.full((2, 32, 32, 1), 90.0)))
    assert scores.shape == (2, outputs)
    assert ((scores > 0) & (scores < 1)).all()
    if kind == "multiclass":
        assert np.allclose(scores.sum(axis=1), 1)


def test_grey_is_shown_to_the_backbone_as_colour(make):
    grey, rgb = make(color="grey"), make(color="rgb")
    rgb.set_weights(grey.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype(np.float32)
    assert np.allclose(grey(pixels), rgb(np.repeat(pixels, 3, axis=-1)), atol=1e-6)


def test_pixels_are_normalised_inside(make):
    model = make()
    normalised = keras.Model(model.input, model.get_layer("normalise").output)
    found = np.asarray(
        normalised(np.array([0, 127, 255]).reshape(3, 1, 1, 1) * np.ones((1, 32, 32, 1)))
    )
    assert found[:, 0, 0, 0].tolist() == [-127 / 128, 0, 1]


def test_an_image_too_small_for_the_backbone_is_refused(make):
    with pytest.raises(ParameterError, match=r"preprocess\.size \[16, 16\]"):
        make("VGG16", size=16)
