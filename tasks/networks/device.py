"""The device that computes, and what makes its results repeat."""

from __future__ import annotations

import keras
import tensorflow as tf

from tasks.errors import TrainingError


def prepare(threads: int, seed: int) -> str:
    """Make results repeat bit by bit, claim GPU memory only as it is needed, and print and return
    what computes.

    Another thread count gives other weights, so it is set, once a process.

    Raises:
        TrainingError: TensorFlow has already started with another number of threads.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    _set_threads(threads)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    found = describe(threads)
    print(f"Computing on {found}", flush=True)
    return found


def describe(threads: int) -> str:
    """The first GPU's name, or the CPU with its threads."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU, {threads} threads"
    details = tf.config.experimental.get_device_details(gpus[0])
    return f"GPU {details.get('device_name', gpus[0].name)}"


def _set_threads(threads: int) -> None:
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise TrainingError(
            f"required: {threads} threads (train.threads); received: TensorFlow has already "
            f"started with {threading.get_intra_op_parallelism_threads() or 'its own number of'} "
            "threads; run each stage in a process of its own, python -m tasks.<stage>"
        ) from None
