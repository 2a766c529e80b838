"""The backend JAX: devices, threads, exactness, gradients, epochs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import keras
from jax._src import xla_bridge  # only there one can ask without starting it

FIRST_WITH_BFLOAT16 = (8, 0)  # compute capability
over_rows = None  # its trainer has no step that could be repeated inside a call
THREADS = "NPROC"  # read by XLA when it starts
FLAGS = "XLA_FLAGS"


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
    """Let equal inputs give equal bits on GPUs too, and claim their memory only as it is needed.
    On CPUs they do by themselves.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if not _started():
        os.environ[FLAGS] = f"{os.environ.get(FLAGS, '')} --xla_gpu_deterministic_ops=true".strip()


def use_first_only() -> None:
    """Nothing to do: JAX computes on the first one unless told."""


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


def gradient(function: Callable[[Any], Any], at: Any) -> Any:
    """The gradient of the sum of what `function` gives, at the tensor `at`."""
    return jax.grad(lambda x: function(x).sum())(at)


def over_batches(
    network: Any, step: str, batch: Any
) -> Callable[[keras.utils.PyDataset], dict[str, Any]]:
    """Keras's own feeding of batches, which dispatches the next step while one is computed."""
    if step == "test_step":
        return lambda batches: network.evaluate(batches, verbose=0, return_dict=True)

    def train(batches: keras.utils.PyDataset) -> dict[str, Any]:
        found = network.fit(batches, shuffle=False, verbose=0).history
        return {name: values[0] for name, values in found.items()}

    return train


def _started() -> bool:
    return bool(xla_bridge.backends_are_initialized())
