"""The backend JAX: devices, threads, exactness, gradients, passes, epochs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Any

import jax
import keras
from jax._src import xla_bridge  # only there one can ask without starting it

from tasks.common.errors import TrainingError
from tasks.common.paths import StateEntry
from tasks.networks.metrics import make_metrics
from tasks.networks.prefetching import ahead

FIRST_WITH_BFLOAT16 = (8, 0)  # compute capability
LOOPS_ON_CPUS = False  # convolutions take many times as long there
THREADS = "NPROC"  # read by XLA when it starts
FLAGS = "XLA_FLAGS"
KEPT_BYTES = 2 << 30  # of what was compiled; the longest unused goes first
COMPILING = "/jax/core/compile/backend_compile_duration"  # an event


def packages() -> tuple[str, ...]:
    """The packages whose versions the bits of results depend on."""
    return ("keras", "jax", "jaxlib", "numpy")


def set_threads(threads: int) -> None:
    """Compute with so many threads.

    Raises:
        RuntimeError: JAX has already started with another number.
    """
    if _started() and os.environ.get(THREADS) != str(threads):
        raise RuntimeError
    os.environ[THREADS] = str(threads)


def threads() -> int:
    """The threads set; 0: as many as JAX likes."""
    return int(os.environ.get(THREADS) or 0)


def make_exact() -> None:
    """Let equal inputs give equal bits and float32 be no less on GPUs too, and claim their memory
    only as it is needed. On CPUs they do by themselves.
    """
    jax.config.update("jax_default_matmul_precision", "highest")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if not _started():
        os.environ[FLAGS] = f"{os.environ.get(FLAGS, '')} --xla_gpu_deterministic_ops=true".strip()


def use_first_only() -> None:
    """Nothing to do: JAX computes on the first one unless told."""


def share_out(devices: int, machines: int) -> None:
    """Let so many devices train together: each holds the weights, and computes its part of every
    batch.

    Raises:
        TrainingError: there are fewer, or several machines are named.
    """
    there = jax.devices()
    if machines > 1 or len(there) < devices:
        raise TrainingError(
            f"required: {devices * machines} devices (train.devices, TF_CONFIG); received: "
            f"{len(there)} of this machine, all that the backend jax takes here. Set train.devices "
            f"to at most {len(there)}; several machines need KERAS_BACKEND=tensorflow"
        )
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=there[:devices]))


def gpus() -> list[str]:
    """The names of the GPUs that are there."""
    return [device.device_kind for device in jax.devices() if device.platform == "gpu"]


def gains_from_bfloat16() -> bool:
    """Whether every GPU has units for it, and there is one; TPUs do."""
    kinds = {device.platform for device in jax.devices()}
    if kinds == {"tpu"}:
        return True
    found = [getattr(device, "compute_capability", "0.0") for device in jax.devices()]
    capabilities = [tuple(int(part) for part in text.split(".")) for text in found]
    return kinds == {"gpu"} and min(capabilities) >= FIRST_WITH_BFLOAT16


def memory() -> int | None:
    """Bytes that are free on each device; None: the network computes where the arrays lie."""
    found = [device.memory_stats() for device in jax.local_devices() if device.platform != "cpu"]
    free = [stats["bytes_limit"] - stats["bytes_in_use"] for stats in found if stats]
    return min(free, default=None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device has no memory left for what was asked."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def gradient(function: Callable[[Any], Any], at: Any) -> Any:
    """The gradient of the sum of what `function` gives, at the tensor `at`."""
    return jax.grad(lambda x: function(x).sum())(at)


def put(array: Any) -> Any:
    """An array on the device, or on each of those that train together."""
    together = keras.distribution.distribution()
    if together is None:
        return jax.device_put(array)
    everywhere = jax.sharding.PartitionSpec()
    return jax.device_put(
        array, jax.sharding.NamedSharding(together.device_mesh.backend_mesh, everywhere)
    )


def forward(network: Any) -> Callable[[Any], Any]:
    """What a network makes of a batch of inputs, in inference mode, left on the device.

    Keras's own call hands back every variable each time, which takes longer than the computation.
    """

    def outputs(trained: Any, fixed: Any, inputs: Any) -> Any:
        return network.stateless_call(trained, fixed, _shared_out(inputs), training=False)[0]

    compiled = _compiled(outputs)

    def run(inputs: Any) -> Any:
        groups = network.trainable_variables, network.non_trainable_variables
        return compiled(*([variable.value for variable in group] for group in groups), inputs)

    return run


def on_host(function: Callable[[Any], Any], inputs: Any, shape: Sequence[int]) -> Any:
    """What a function of arrays makes of a batch, float32 `(N, *shape)`, within a graph too; no
    gradient passes it.
    """
    made = jax.ShapeDtypeStruct((inputs.shape[0], *shape), "float32")
    return jax.pure_callback(function, made, jax.lax.stop_gradient(inputs))


def over_rows(network: Any, batch: Any) -> Callable[[Any, Any, int], dict[str, Any]]:
    """The `train_step` of a compiled Keras network over batches of rows, from fresh
    metrics to their results, all in one call.

    What is given takes examples, their rows in their order, and the size of a batch. Examples are
    arrays nested like `batch`; row r is the row `r % len` of each.
    """
    one_step = _one_step(network, batch)

    def steps(state: Any, examples: Any, rows: Any, batch_size: int) -> Any:
        def of_rows(state: Any, chosen: Any) -> tuple[Any, None]:
            taken = jax.tree.map(lambda array: array[chosen % len(array)], examples)
            return one_step(state, taken), None

        full = len(rows) // batch_size * batch_size
        state, _ = jax.lax.scan(of_rows, state, rows[:full].reshape(-1, batch_size))
        return of_rows(state, rows[full:])[0] if full < len(rows) else state

    compiled = _compiled(steps, static_argnames="batch_size")

    def run(examples: Any, rows: Any, batch_size: int) -> dict[str, Any]:
        return _epoch(network, lambda state: compiled(state, examples, rows, batch_size))

    return run


def over_batches(network: Any, batch: Any) -> Callable[[keras.utils.PyDataset], dict[str, Any]]:
    """The same over batches like `batch`, each made while the one before is computed with."""
    one_step = _compiled(_one_step(network, batch))

    def run(batches: keras.utils.PyDataset) -> dict[str, Any]:
        def steps(state: Any) -> Any:
            for _, made in ahead(lambda index: jax.device_put(batches[index]), range(len(batches))):
                before, state = state, one_step(state, made)
                jax.block_until_ready(before)  # else all batches would wait on the device
            return state

        return _epoch(network, steps)

    return run


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A function, to be compiled once on a machine: what takes long is kept in the state folder."""
    jax.config.update("jax_compilation_cache_dir", str(StateEntry.COMPILED.path))
    jax.config.update("jax_compilation_cache_max_size", KEPT_BYTES)
    _say_when_compiling()
    compiled: Callable[..., Any] = jax.jit(function, **options)
    return compiled


@cache
def _say_when_compiling() -> None:
    def say(event: str, seconds: float, **_: object) -> None:
        # What compiles faster JAX does not keep.
        if event == COMPILING and seconds >= jax.config.jax_persistent_cache_min_compile_time_secs:
            print(f"Compiled in {seconds:.1f} s, and kept for the next time", flush=True)

    jax.monitoring.register_event_duration_secs_listener(say)


def _one_step(network: Any, batch: Any) -> Callable[[Any, Any], Any]:
    """State and batch to the state after it. The metrics' variables must be there before."""
    make_metrics(network, batch)
    return lambda state, data: network.train_step(state, _shared_out(data))[1]


def _epoch(network: Any, steps: Callable[[Any], Any]) -> dict[str, Any]:
    """Run steps from state to state, and put the last one into the network."""
    network.reset_metrics()
    groups = [network.trainable_variables, network.non_trainable_variables]
    groups += [network.optimizer.variables, network.metrics_variables]
    after = steps(tuple([variable.value for variable in group] for group in groups))
    for variable, value in zip(chain(*groups), chain(*after), strict=True):
        variable.assign(value)
    found: dict[str, Any] = network.get_metrics_result()
    return found


def _shared_out(batch: Any) -> Any:
    """Let each of the devices that train together compute its part of a batch."""
    together = keras.distribution.distribution()
    if together is None:
        return batch

    def parted(array: Any) -> Any:
        layout = together.get_data_layout(array.shape).backend_layout
        return jax.lax.with_sharding_constraint(array, layout)

    return jax.tree.map(parted, batch)


def _started() -> bool:
    return bool(xla_bridge.backends_are_initialized())
