"""Keys of what is stored in the state folder: everything that it depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common import closure, digests
from tasks.imaging.images import Images
from tasks.networks import device
from tasks.networks.augmentation import Transforms
from tasks.networks.prediction import batch_size

CHUNK = 256  # images hashed at a time


def of_pass(
    frozen: keras.Model, images: Images | NDArray[np.uint8], views: Sequence[Transforms]
) -> str:
    """The key of one pass of images in their views through a frozen part."""
    drawn = [of_arrays([view.affine, view.contrast]) for view in views]
    code, size = made_with("tasks.networks.prefix"), batch_size(*images.shape[1:3])
    return digests.of_json([code, of_model(frozen), of_images(images), drawn, size])


def of_fit(model: keras.Model, sees: Any, settings: Any) -> str:
    """The key of one fit: where it starts, what it sees and how it goes."""
    trainable = [variable.trainable for variable in model.weights]
    start = [of_model(model), trainable]
    return digests.of_json([made_with("tasks.networks.fit"), start, sees, settings, device.count()])


def of_model(model: keras.Model) -> str:
    """sha256 of a model's layers, the types that they compute in, and its weights."""
    layers = [
        [
            type(operation).__name__,
            getattr(operation, "compute_dtype", None),
            getattr(operation, "computed_by", None),
            _settings(operation),
        ]
        for operation in model.operations
    ]
    return digests.of_json([layers, of_arrays(model.get_weights())])


def _settings(operation: keras.Operation) -> dict[str, Any]:
    """Plain settings of a layer: strides, dropout's rate. Names do not count: Keras numbers those
    that it gives itself by what the process has built before. Nor does what is trained, which is
    the fit's affair.
    """
    settings = operation.get_config().items()
    plain = (str, int, float, list, tuple)
    return {
        name: value
        for name, value in settings
        if isinstance(value, plain) and name not in ("name", "trainable")
    }


def of_images(images: Images | NDArray[np.uint8]) -> str:
    """sha256 of shape and pixels, read a few at a time."""
    hashed = hashlib.sha256(str(list(images.shape)).encode())
    for start in range(0, len(images), CHUNK):
        hashed.update(np.ascontiguousarray(images[start : start + CHUNK]).data)
    return hashed.hexdigest()


def of_arrays(arrays: Sequence[NDArray[Any]]) -> str:
    """sha256 of shapes, types and contents."""
    contents = [hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for array in arrays]
    kinds = [[list(array.shape), str(array.dtype)] for array in arrays]
    return digests.of_json([kinds, contents])


def made_with(module: str) -> dict[str, Any]:
    """What else the bits depend on: versions, threads, device, and the code behind `module`."""
    return {
        "versions": {name: version(name) for name in device.backend.packages()},
        "threads": device.backend.threads(),
        "gpus": device.backend.gpus(),
        "code": closure.digests_behind(module),
    }
