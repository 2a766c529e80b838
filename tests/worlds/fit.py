"""A small network and features that it can tell apart."""

import keras
import numpy as np
from keras import layers

from tasks.common.params.fine_tune import FineTune
from tasks.networks.feeds import Examples
from tasks.networks.fit import Plan

FEATURES, COUNT = 6, 48


def make_model(kind="binary", dropout=0.3):
    keras.utils.set_random_seed(2)
    outputs = 1 if kind == "binary" else 3
    features = keras.Input((FEATURES,))
    x = layers.Dropout(dropout)(features)
    activation = "softmax" if kind == "multiclass" else "sigmoid"
    return keras.Model(features, layers.Dense(outputs, activation)(x))


def make_examples(kind="binary", views=1, seed=0):
    """Features of which the first ones tell the classes apart."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, 3, COUNT)
    targets = np.eye(3, dtype=np.float32)[classes]
    features = random.normal(0, 0.3, (views, COUNT, FEATURES))
    features[:, :, :3] += targets
    targets = targets[:, :1] if kind == "binary" else targets
    return Examples(features.reshape(-1, FEATURES).astype(np.float16), targets)


def make_plan(kind="binary", **changes):
    settings = {"epochs": 6, "batch_size": 16, "learning_rate": 0.02, "patience": 6, **changes}
    phase = FineTune(cut_layer="auto", **settings)
    outputs = 1 if kind == "binary" else 3
    return Plan(kind, phase, np.ones((2, outputs), np.float32), seed=4, average=phase.average)


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
