"""The backend TensorFlow: devices, threads, exactness, gradients, epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tasks.networks.prefetching import ahead

FIRST_WITH_BFLOAT16 = (8, 0)  # compute capability


def packages() -> tuple[str, ...]:
    """The packages whose versions the bits of results depend on."""
    return ("keras", "tensorflow", "numpy")


def set_threads(threads: int) -> None:
    """Compute with so many threads.

    Raises:
        RuntimeError: TensorFlow has already started with another number.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def threads() -> int:
    """The threads set; 0: as many as TensorFlow likes."""
    return int(tf.config.threading.get_intra_op_parallelism_threads())


def make_exact() -> None:
    """Let equal inputs give equal bits, and claim GPU memory only as it is needed."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_op_determinism()


def use_first_only() -> None:
    """Leave every GPU but the first one to others."""
    present = tf.config.list_physical_devices("GPU")
    if len(present) > 1:
        tf.config.set_visible_devices(present[:1], "GPU")


def gpus() -> list[str]:
    """The names of the GPUs that are there."""
    return [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]


def gains_from_bfloat16() -> bool:
    """Whether every GPU has units for it, and there is one."""
    found = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return bool(found) and min(found) >= FIRST_WITH_BFLOAT16


def gradient(function: Callable[[Any], Any], at: Any) -> Any:
    """The gradient of the sum of what `function` gives, at the tensor `at`."""
    with tf.GradientTape() as tape:
        tape.watch(at)
        value = function(at)
    return tape.gradient(value, at)


def over_rows(
    network: Any, step: str, batch: Any
) -> Callable[[Any, Any, Any, int], dict[str, Any]]:
    """The `train_step` or `test_step` of a compiled Keras network over batches of rows, from fresh
    metrics to their results, all in one call.

    What is given takes inputs `(V * N, ...)`, targets `(N, K)`, the rows of the inputs in their
    order, and the size of a batch, which is like `batch`.
    """
    make_metrics(network, batch)
    one_step = getattr(network, step)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def steps(inputs: Any, targets: Any, rows: Any, batch_size: int) -> dict[str, Any]:
        network.reset_metrics()
        images = tf.shape(targets, rows.dtype)[0]
        for start in tf.range(0, tf.size(rows), batch_size):
            chosen = rows[start : start + batch_size]
            one_step((tf.gather(inputs, chosen), tf.gather(targets, chosen % images)))
        found: dict[str, Any] = network.get_metrics_result()
        return found

    run: Callable[[Any, Any, Any, int], dict[str, Any]] = steps
    return run


def over_batches(
    network: Any, step: str, batch: Any
) -> Callable[[keras.utils.PyDataset], dict[str, Any]]:
    """The `train_step` or `test_step` of a compiled Keras network over batches of an epoch, from
    fresh metrics to their results; each batch is made while the one before is computed with.

    What is given takes batches like `batch`, of any number of rows. Keras's own feeding would let
    up to 0.4 s pass at the end of every epoch, until its threads have ended.
    """
    make_metrics(network, batch)
    shapes = keras.tree.map_structure(
        lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype), batch
    )
    one_step = tf.function(getattr(network, step), input_signature=[shapes])

    def run(batches: keras.utils.PyDataset) -> dict[str, Any]:
        def tensors(index: int) -> Any:
            return keras.tree.map_structure(tf.convert_to_tensor, batches[index])

        network.reset_metrics()
        for _, made in ahead(tensors, range(len(batches))):
            one_step(made)
        found: dict[str, Any] = network.get_metrics_result()
        return found

    return run


def make_metrics(network: Any, batch: Any) -> None:
    """The metrics' variables; no public call makes them before a step, in Keras 3.15."""
    tensors = keras.tree.map_structure(tf.convert_to_tensor, batch)
    network._symbolic_build(data_batch=(*tensors, None))
