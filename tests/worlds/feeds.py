"""A small network, images that it can tell apart, and a training on them."""

import keras
import numpy as np
from keras import layers

from tasks.common.params.fine_tune import FineTune
from tasks.imaging.images import Images
from tasks.networks import passes
from tasks.networks.fit import Plan, fit
from tasks.networks.layers import cut, train_only
from tasks.networks.passes import Data, SplitData
from tasks.networks.views import Views

COUNT, VAL, SIZE = 40, 16, 16
CUT = "late"


def start():
    """A small network, the same each time."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((SIZE, SIZE, 1), name="pixels")
    x = layers.Rescaling(1 / 255, name="normalise")(pixels)
    x = layers.Conv2D(8, 3, 2, activation="relu", name="early")(x)
    x = layers.Conv2D(8, 3, 2, activation="relu", name=CUT)(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(pixels, layers.Dense(1, "sigmoid", name="scores")(x))


def make_data(count, refresh=None):
    """Noise on which a bright square shows a class; pack rows in another order than the images."""
    random = np.random.default_rng(5)
    pack = random.integers(20, 120, (COUNT + VAL, SIZE, SIZE, 1))
    pack[::2, 4:12, 4:12] += 100
    targets = (np.arange(COUNT + VAL) % 2 == 0).astype(np.float32)[:, None]
    rows = random.permutation(COUNT + VAL)
    parts = [
        SplitData(Images(pack.astype(np.uint8), part), targets[part])
        for part in (rows[:COUNT], rows[COUNT:])
    ]
    ids = tuple(f"{k:064x}" for k in rows[:COUNT])
    return Data(*parts, Views("tutorial", 3, count, refresh, ids, (SIZE, SIZE)))


def train(model, layer, given, epochs=3, **changes):
    keras.utils.set_random_seed(7)
    feed, val = passes.feed(model, [layer], layer, given)
    _, head = cut(model, layer)
    train_only(model, head)
    settings = {"batch_size": 16, "learning_rate": 1e-2, "patience": epochs, **changes}
    phase = FineTune(cut_layer=layer, epochs=epochs, **settings)
    plan = Plan("binary", phase, np.ones((2, 1), np.float32), seed=4)
    fitted = fit(head, feed, val, plan, lambda *_: None)
    fitted.checkpoint.remove()  # another training of the same begins anew
    return feed, fitted.epochs, head.get_weights()
