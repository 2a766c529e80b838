"""The usual tutorial: ImageDataGenerator, a frozen backbone for 50 epochs, then fine-tuning.

Kinder than most notebooks, so that what is measured is the way of training and nothing else: the
pixels are read already, the network has its right normalisation inside, the best epoch's weights
are restored, and fine-tuning trains the same layers as Medloop does, batch normalisation frozen.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks.peers.exchange import Curve, auroc, leave, read, settings

EPOCHS, PATIENCE, FINE_TUNE_EPOCHS, BATCH_SIZE = 50, 10, 10, 32
GENERATOR = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "horizontal_flip": True,
    "vertical_flip": True,
    "fill_mode": "nearest",
}


def main(folder: Path) -> None:
    """Train, and leave the curve."""
    train, val, test = read(folder)
    given = settings(folder)
    keras.utils.set_random_seed(given["seed"])
    model = keras.saving.load_model(folder / "start.keras", compile=False)
    loss = "binary_crossentropy" if given["kind"] != "multiclass" else "categorical_crossentropy"
    generator = tf.keras.preprocessing.image.ImageDataGenerator(**GENERATOR)
    pixels = train.pixels.astype(np.float32)
    batches = generator.flow(pixels, train.targets, BATCH_SIZE, seed=given["seed"])
    shown_val = (val.pixels.astype(np.float32), val.targets)
    curve = Curve("tutorial", lambda: auroc(model, val))

    def fit(first_layer: str, learning_rate: float, epochs: int) -> None:
        names = [layer.name for layer in model.layers]
        for layer in model.layers[: names.index(first_layer)]:
            layer.trainable = False
        for layer in model.layers[names.index(first_layer) :]:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
        model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
        stop = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
        callbacks = [stop, keras.callbacks.LambdaCallback(on_epoch_end=curve.add)]
        model.fit(batches, validation_data=shown_val, epochs=epochs, callbacks=callbacks, verbose=0)

    fit(given["pooled_layer"], 1e-4, EPOCHS)
    fit(given["cut_layer"], 1e-5, FINE_TUNE_EPOCHS)
    leave(folder, curve, auroc(model, test))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
