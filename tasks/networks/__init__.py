"""The networks: backbones, weights, views, frozen prefix, fit, scores. Keras lives here.

Importing this room starts Keras quietly. TensorFlow 2.21 writes its first lines (oneDNN, no GPU
driver) to the file descriptor before it has read TF_CPP_MIN_LOG_LEVEL, so that is turned away for
the time of the import.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _start_keras() -> None:
    sys.stderr.flush()
    kept = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        import keras  # noqa: F401 - the first import is what makes the noise
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)


_start_keras()
