"""The backend TensorFlow: devices, threads, exactness, gradients, passes, epochs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.networks.metrics import make_metrics
from tasks.networks.prefetching import ahead

FIRST_WITH_BFLOAT16 = (8, 0)  # compute capability
LOOPS_ON_CPUS = True


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
    """Let equal inputs give equal bits and float32 be no less, and claim GPU memory only as it is
    needed.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)


def use_first_only() -> None:
    """Leave every GPU but the first one to others."""
    present = tf.config.list_physical_devices("GPU")
    if len(present) > 1:
        tf.config.set_visible_devices(present[:1], "GPU")


def share_out(devices: int, machines: int) -> Any:
    """Let so many devices of each machine train together, as replicas.

    Raises:
        TrainingError: there are fewer.
    """
    from tasks.networks.replicas import Replicas  # where there are several

    return Replicas(devices, machines)


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


def memory() -> int | None:
    """Bytes that are free on each GPU in use; None: the network computes where the arrays lie."""
    in_use = len(tf.config.get_visible_devices("GPU"))
    if not in_use:
        return None
    import pynvml  # TensorFlow knows what it has taken, not what there is

    pynvml.nvmlInit()
    there = [
        pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())
    ]
    free = [int(pynvml.nvmlDeviceGetMemoryInfo(gpu).free) for gpu in there]
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    shown = [free[int(name)] for name in named if name.isdigit() and int(name) < len(free)]
    return min((shown or free)[:in_use])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device has no memory left for what was asked."""
    return isinstance(error, tf.errors.ResourceExhaustedError)


def gradient(function: Callable[[Any], Any], at: Any) -> Any:
    """The gradient of the sum of what `function` gives, at the tensor `at`."""
    with tf.GradientTape() as tape:
        tape.watch(at)
        value = function(at)
    return tape.gradient(value, at)


def put(array: Any) -> Any:
    """An array on the device."""
    return tf.convert_to_tensor(np.asarray(array)) if isinstance(array, np.ndarray) else array


def forward(network: Any) -> Callable[[Any], Any]:
    """What a network makes of a batch of inputs, in inference mode, left on the device."""
    network.make_predict_function()
    return lambda inputs: network.predict_function([(inputs,)])


def on_host(function: Callable[[Any], Any], inputs: Any, shape: Sequence[int]) -> Any:
    """What a function of arrays makes of a batch, float32 `(N, *shape)`, within a graph too; no
    gradient passes it.
    """
    found = tf.numpy_function(function, [inputs], tf.float32, stateful=False)
    found.set_shape([inputs.shape[0], *shape])
    return found


def over_rows(network: Any, batch: Any) -> Callable[[Any, Any, int], dict[str, Any]]:
    """The `train_step` of a compiled Keras network over batches of rows, from fresh
    metrics to their results, all in one call.

    What is given takes examples, their rows in their order, and the size of a batch. Examples are
    arrays nested like `batch`; row r is the row `r % len` of each.
    """
    make_metrics(network, batch)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def steps(examples: Any, rows: Any, batch_size: int) -> dict[str, Any]:
        network.reset_metrics()
        for start in tf.range(0, tf.size(rows), batch_size):
            network.train_step(_gathered(examples, rows[start : start + batch_size]))
        found: dict[str, Any] = network.get_metrics_result()
        return found

    run: Callable[[Any, Any, int], dict[str, Any]] = steps
    return run


def _gathered(examples: Any, rows: Any) -> Any:
    return keras.tree.map_structure(
        lambda array: tf.gather(array, rows % tf.shape(array, rows.dtype)[0]), examples
    )


def over_batches(network: Any, batch: Any) -> Callable[[keras.utils.PyDataset], dict[str, Any]]:
    """The `train_step` of a compiled Keras network over batches of an epoch, from
    fresh metrics to their results; each batch is made while the one before is computed with.

    What is given takes batches like `batch`, of any number of rows. Keras's own feeding would let
    up to 0.4 s pass at the end of every epoch, until its threads have ended.
    """
    make_metrics(network, batch)
    shapes = keras.tree.map_structure(
        lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype), batch
    )
    one_step = tf.function(network.train_step, input_signature=[shapes])

    def run(batches: keras.utils.PyDataset) -> dict[str, Any]:
        def tensors(index: int) -> Any:
            return keras.tree.map_structure(tf.convert_to_tensor, batches[index])

        network.reset_metrics()
        for _, made in ahead(tensors, range(len(batches))):
            one_step(made)
        found: dict[str, Any] = network.get_metrics_result()
        return found

    return run
