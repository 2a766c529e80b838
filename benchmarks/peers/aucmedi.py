"""AUCMEDI 0.11 as its AutoML "standard" trains, with the backbone and the weights that it is given.

It is GPL-3.0 and no dependency of this project: install it in an environment of its own,
`python -m venv DIR; DIR/bin/python -m pip install aucmedi==0.11.0 tensorflow==2.21.0 keras==3.15.1`

Loss (focal, class weights), augmentation, batch size, reduction of the learning rate and the choice
of the weights by the loss on val are those of `aucmedi/automl/block_train.py`, and it fine-tunes
the whole network. Otherwise than there: 20 epochs and not up to 500, so that it ends within the
hour, and no augmentation of the test images. Pixels come from its cache loader, so no file is read;
as many of its threads as cores prepare them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from aucmedi import DataGenerator, ImageAugmentation, NeuralNetwork
from aucmedi.data_processing.io_loader import cache_loader
from aucmedi.neural_network.architectures import Architecture_Base, Classifier
from aucmedi.neural_network.loss_functions import categorical_focal_loss
from aucmedi.utils.class_weights import compute_class_weights
from keras.callbacks import LambdaCallback, ModelCheckpoint, ReduceLROnPlateau

from benchmarks.peers.exchange import Curve, Images, auroc, leave, read, settings

EPOCHS = 20  # 10 with the backbone frozen, as is its default, then 10 of the whole network
BATCH_SIZE = 24
AUGMENTATION = ImageAugmentation(
    flip=True,
    rotate=True,
    scale=False,
    brightness=True,
    contrast=True,
    saturation=False,
    hue=False,
    gamma=True,
    elastic_transform=True,
)


class Given(Architecture_Base):  # type: ignore[misc]  # aucmedi ships no types
    """The backbone of `start.keras` under AUCMEDI's own head."""

    def __init__(self, start: keras.Model, last_layer: str, classes: int) -> None:
        """Take what comes before `last_layer`."""
        self.classifier = Classifier(n_labels=classes, activation_output="softmax")
        self.input = start.input_shape[1:]
        self._start, self._last = start, last_layer

    def create_model(self) -> keras.Model:
        """Pixels to AUCMEDI's scores."""
        features = self._start.get_layer(self._last).input
        return self.classifier.build(model_input=self._start.input, model_output=features)


def generator(images: Images, **options: Any) -> DataGenerator:
    """AUCMEDI's batches of one split; classes are one-hot, absent before present."""
    names = [str(k) for k in range(len(images.targets))]
    return DataGenerator(
        names,
        None,
        labels=one_hot(images),
        loader=cache_loader,
        cache=dict(zip(names, images.pixels, strict=True)),
        grayscale=images.pixels.shape[-1] == 1,
        resize=None,
        standardize_mode=None,  # the network normalises
        batch_size=BATCH_SIZE,
        workers=os.cpu_count() or 1,
        **options,
    )


def one_hot(images: Images) -> np.ndarray:
    """Targets `(N, K)` with a column per class."""
    targets = images.targets
    return targets if targets.shape[1] > 1 else np.concatenate([1 - targets, targets], axis=1)


def main(folder: Path) -> None:
    """Train, and leave the curve."""
    train, val, test = read(folder)
    given = settings(folder)
    if given["kind"] == "multilabel":
        sys.exit("required: a binary or multiclass task; received: multilabel")
    keras.utils.set_random_seed(given["seed"])
    start = keras.saving.load_model(folder / "start.keras", compile=False)
    classes = one_hot(train)
    weights, _ = compute_class_weights(ohe_array=classes)
    network = NeuralNetwork(
        n_labels=classes.shape[1],
        channels=train.pixels.shape[-1],
        architecture=Given(start, given["pooled_layer"], classes.shape[1]),
        loss=categorical_focal_loss(weights),
        verbose=0,
    )
    network.tf_epochs = EPOCHS // 2
    best = folder / "best.keras"
    curve = Curve("aucmedi", lambda: auroc(network.model, val))
    network.train(
        generator(train, shuffle=True, data_aug=AUGMENTATION),
        generator(val),
        epochs=EPOCHS,
        transfer_learning=True,
        callbacks=[
            ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=5, min_lr=1e-7),
            ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
            LambdaCallback(on_epoch_end=curve.add),
        ],
    )
    leave(folder, curve, auroc(keras.saving.load_model(best, compile=False), test))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
