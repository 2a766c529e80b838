import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from tasks.common.errors import TrainingError
from tasks.networks import test_time
from tasks.networks.folding import folded
from tasks.networks.scoring import score
from tasks.networks.shuffling import shuffled

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1)).astype(np.uint8)
PIXELS = IMAGES.astype(np.float32)


def seen(norm):
    """Let a normalisation have seen something."""
    rng = np.random.default_rng(0)
    norm.set_weights([rng.uniform(0.5, 2, weights.shape) for weights in norm.get_weights()])
    return norm


def norms_of(network):
    return [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]


def convolution(kind):
    if kind == "depthwise":
        return layers.DepthwiseConv2D(3, depth_multiplier=3)
    return layers.Conv2D(4, 3, groups=2) if kind == "grouped" else layers.Conv2D(5, 3, strides=2)


@pytest.mark.parametrize("kind", ["plain", "depthwise", "grouped"])
@pytest.mark.parametrize("options", [{}, {"scale": False, "center": False, "epsilon": 0.1}])
def test_a_normalisation_folds_into_the_convolution_before_it(kind, options):
    start, first = keras.Input((8, 8, 2)), convolution(kind)
    norm = layers.BatchNormalization(**options)
    network = keras.Model(start, norm(first(start)))
    seen(norm)
    first.bias.assign(np.linspace(-1, 1, first.bias.shape[0]))
    found = folded(network)
    pixels = np.random.default_rng(0).normal(size=(3, 8, 8, 2)).astype(np.float32)
    assert not norms_of(found)
    assert np.allclose(found(pixels), network(pixels, training=False), atol=1e-5)


def left():
    start = keras.Input((8, 8, 2))
    made = layers.Conv2D(2, 3)(start)
    curved = layers.Conv2D(2, 3, activation="relu")(start)
    again = layers.Add()([layers.BatchNormalization()(made), made])
    after = layers.Conv2D(2, 3)(layers.BatchNormalization()(start))
    return {
        "something else reads what the convolution gives": keras.Model(start, again),
        "it is given out": keras.Model(start, [layers.BatchNormalization()(made), made]),
        "the convolution is not linear": keras.Model(start, layers.BatchNormalization()(curved)),
        "the convolution comes after it": keras.Model(start, after),
        "it is one of rows": keras.Model(start, layers.BatchNormalization(axis=1)(made)),
    }


@pytest.mark.parametrize("why", left())
def test_a_normalisation_that_cannot_fold_stays(why):
    network = left()[why]
    assert folded(network) is network


def test_what_does_not_fold_is_shared(make):
    model = make()
    found = folded(model)
    assert len(norms_of(model)) == len(model.layers) - len(found.layers) > 40
    assert found.get_layer("logits") is model.get_layer("logits")
    assert {id(weights) for weights in found.weights} == {id(weights) for weights in model.weights}


def test_it_is_made_once_and_follows_the_weights(make):
    model = make()
    found = folded(model)
    before = np.asarray(found(PIXELS, training=False))
    for norm in norms_of(model):
        seen(norm)
    assert folded(model) is found
    assert np.allclose(found(PIXELS, training=False), model(PIXELS, training=False), rtol=1e-4)
    assert not np.allclose(found(PIXELS, training=False), before, rtol=1e-2)


def test_it_goes_with_the_network(make):
    model = make()
    gone = weakref.ref(folded(model))
    del model
    gc.collect()
    gc.collect()  # the network first, then what was made of it
    assert gone() is None


@pytest.mark.parametrize("name", ["stem_conv", "stem_bn"])
def test_weights_that_are_not_finite_are_refused(make, name):
    """Joined with ReLU6, a convolution would make plain numbers of them."""
    model = make()
    first, *rest = model.get_layer(name).get_weights()
    model.get_layer(name).set_weights([np.full_like(first, np.nan), *rest])
    with pytest.raises(TrainingError, match="finite weights; received: others"):
        score(model, IMAGES)


def test_a_network_with_views_folds_too(make):
    model = make(weights="imagenet")
    judges = test_time.averaged(model, np.tile(np.float32([1, 0, 1, 0, 1, 0, 0, 0]), (2, 1)))
    (part,) = (layer for layer in folded(judges).layers if isinstance(layer, keras.Model))
    assert not norms_of(part)
    before = score(judges, IMAGES)
    assert np.allclose(before, judges(PIXELS, training=False), atol=1e-5)
    with shuffled(model, 0):
        between = score(judges, IMAGES)
        assert np.allclose(between, judges(PIXELS, training=False), atol=1e-5)
    assert not np.allclose(between, before, atol=1e-3)
    assert np.array_equal(score(judges, IMAGES), before)
