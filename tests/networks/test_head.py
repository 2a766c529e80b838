from dataclasses import replace

import keras
import numpy as np
import pytest
from worlds.fit import make_examples, make_plan

from tasks.common.params.train import Train
from tasks.networks import recipe
from tasks.networks.architecture import DROPOUT, LOGITS, SCORES
from tasks.networks.feeds import Stored
from tasks.networks.fit import Trainer, compiled
from tasks.networks.head import NORM, fold, normalised
from tasks.networks.losses import penalty

FEATURES = 6


def make_head():
    """As `build` ends."""
    keras.utils.set_random_seed(2)
    features = keras.Input((FEATURES,))
    x = keras.layers.Dropout(0.3, name=DROPOUT)(features)
    x = keras.layers.Dense(1, name=LOGITS)(x)
    return keras.Model(features, keras.layers.Activation("sigmoid", name=SCORES)(x))


def test_normalisation_folds_into_the_head():
    """Of the same layers; features far from 0 of unlike spreads."""
    head, random = make_head(), np.random.default_rng(0)
    network = normalised(head)
    statistics = [random.uniform(0.5, 2, FEATURES) for _ in range(4)]
    network.get_layer(NORM).set_weights(statistics)
    features = random.normal(3, np.arange(1, FEATURES + 1), (20, FEATURES)).astype(np.float32)
    expected = network.predict(features, verbose=0)
    assert np.abs(head.predict(features, verbose=0) - expected).max() > 0.01
    fold(network)
    assert np.abs(head.predict(features, verbose=0) - expected).max() < 1e-6


def test_the_head_phase_asks_for_both():
    """What a fit leaves is one dense layer, and scores as it was measured."""
    shared = {"devices": 1, "threads": 1, "precision": "float32", "seed": 4, "class_weights": False}
    phase = {"epochs": 8, "batch_size": 16, "learning_rate": 0.02, "patience": 8}
    asked = Train(**shared, **phase, batch_normalisation=True, l2=1e-3)
    head, train, val = make_head(), make_examples(views=2), make_examples(seed=1)
    given = recipe.Recipe("binary", None, np.ones((2, 1), np.float32), asked)
    fitted = recipe._fit_head(head, Stored(lambda _: train), val, given, lambda *_: None)
    scores = head.predict(val.inputs.astype(np.float32), verbose=0)
    right = np.where(val.targets == 1, scores, 1 - scores)
    assert fitted.best["val_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert fitted.best["val_auroc"] > 0.97


def test_a_penalty_is_trained_by_and_not_measured_with():
    """Right values: `l1` times the sum of absolute weights, `l2` times that of squares."""
    head, examples = make_head(), make_examples()
    kernel = head.get_layer(LOGITS).kernel
    kernel.assign(np.arange(FEATURES)[:, None] - 2.0)
    plan = replace(make_plan(), penalty=penalty(kernel, 0.5, 0.25))
    network = compiled(head, Stored(lambda _: examples), plan)
    given = {"x": examples.inputs.astype(np.float32), "y": examples.targets}
    penalised = network.evaluate(**given, verbose=0, return_dict=True)["loss"]
    measured = Trainer(head, Stored(lambda _: examples), plan).measure(examples)
    plain = measured["loss"]
    assert penalised - plain == pytest.approx(0.5 * 9 + 0.25 * 19, rel=1e-5)
