"""The devices that compute, and what makes their results repeat."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import keras

from tasks.common import paths
from tasks.common.errors import TrainingError
from tasks.networks.backend import Backend

if TYPE_CHECKING:
    from tasks.networks.replicas import Replicas

NAME = keras.backend.backend()  # of the backend

backend: Backend
if NAME == "jax":
    from tasks.networks import jax_backend

    backend = jax_backend
else:
    from tasks.networks import tensorflow_backend

    backend = tensorflow_backend

_replicas: Replicas | None = None
_count = 1


def prepare(threads: int, seed: int, devices: int = 1) -> str:
    """Make results repeat bit by bit, take the devices to train on, and print and return what
    computes.

    Another thread count gives other weights, so it is set, once per process. With `TF_CONFIG` in
    the environment the machines that it names train together; each keeps its own state.

    Args:
        threads: on the CPU.
        seed: of all random numbers of Keras.
        devices: of each machine.

    Raises:
        TrainingError: the backend has already started with another number of threads, or there are
            fewer devices.
    """
    global _replicas, _count
    backend.make_exact()
    _set_threads(threads)
    keras.utils.set_random_seed(seed)
    _replicas, _count = _share_out(devices), devices * machines()
    found = describe(threads)
    print(f"Computing on {found}", flush=True)
    return found


def describe(threads: int) -> str:
    """The first GPU's name, or the CPU with its threads, and how many devices train together."""
    gpus = backend.gpus()
    found = f"GPU {gpus[0]}" if gpus else f"CPU, {threads} threads"
    return f"{found}, {_count} devices together" if _count > 1 else found


def count() -> int:
    """How many devices train together."""
    return _count


def replicas() -> Replicas | None:
    """These, where they are stepped by themselves."""
    return _replicas


def scope() -> AbstractContextManager[Any]:
    """Where a network that is trained must be made."""
    return _replicas.scope() if _replicas else nullcontext()


def machines() -> int:
    """How many machines `TF_CONFIG` names; 1 where it is not set."""
    return len(_cluster().get("cluster", {}).get("worker", [])) or 1


def machine() -> int:
    """Which of them this process is, from 0. The first one writes the outs, the others nothing."""
    return int(_cluster().get("task", {}).get("index", 0))


def _share_out(devices: int) -> Replicas | None:
    if machine() > 0:  # several may share a disk
        os.environ["MEDLOOP_STATE"] = str(paths.state_of_machine(machine()))
    if devices == machines() == 1:
        backend.use_first_only()
        return None
    return backend.share_out(devices, machines())


def _cluster() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(os.environ.get("TF_CONFIG") or "{}")
    return found


def _set_threads(threads: int) -> None:
    try:
        backend.set_threads(threads)
    except RuntimeError:
        raise TrainingError(
            f"required: {threads} threads (train.threads); received: {NAME} has "
            f"already started with {backend.threads() or 'its own number of'} threads; run each "
            "stage in a process of its own, python -m tasks.<stage>"
        ) from None
