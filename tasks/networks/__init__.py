"""The networks: backbones, weights, views, frozen prefix, fit, scores. Keras lives here.

Importing this room starts Keras quietly, and TensorFlow without JAX.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _quiet() -> Iterator[None]:
    """TensorFlow 2.21 writes its first lines (oneDNN, no GPU driver) to the file descriptor before
    it has read TF_CPP_MIN_LOG_LEVEL, so that is turned away for the time of the import.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)


@contextmanager
def _without_jax() -> Iterator[None]:
    """TensorFlow Lite imports JAX where it finds it, to convert what nobody converts here: 140 MB
    and half a second in every stage.
    """
    if os.environ["KERAS_BACKEND"] != "tensorflow" or "jax" in sys.modules:
        yield
        return
    sys.modules["jax"] = cast(ModuleType, None)
    try:
        yield
    finally:
        del sys.modules["jax"]


def _start_keras() -> None:
    with _quiet(), _without_jax():
        import keras  # noqa: F401 - the first import is what makes the noise


_start_keras()
