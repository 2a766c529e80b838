"""Several devices, of one machine or of several, that train one network together.

Each holds a copy of the weights and takes its part of every batch; the gradients are summed. So the
weights are those of one device but for the last bits, apart from dropout, whose draws are a
replica's own. TensorFlow's strategies do it, for this room's backend is TensorFlow unless told.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.common.errors import TrainingError
from tasks.networks.metrics import make_metrics


class Replicas:
    """The devices that train together, from the start of the process to its end.

    To be made before anything is computed: the machines of `TF_CONFIG` find each other only then.
    """

    def __init__(self, devices: int, machines: int) -> None:
        """Take `devices` of this machine, and as many of each other one.

        Raises:
            TrainingError: there are fewer.
        """
        gpus = tf.config.list_physical_devices("GPU")
        if gpus and len(gpus) > devices:
            tf.config.set_visible_devices(gpus[:devices], "GPU")
        # Machines first: once a logical device has been asked for, they find each other no more.
        several = tf.distribute.MultiWorkerMirroredStrategy() if machines > 1 else None
        names = [device.name for device in tf.config.list_logical_devices("GPU" if gpus else "CPU")]
        if len(names) < devices:
            raise TrainingError(
                f"required: {devices} devices (train.devices); received: {len(gpus)} GPUs. "
                f"Set train.devices to {max(1, len(gpus))}"
            )
        self._strategy = several or tf.distribute.MirroredStrategy(names[:devices])

    @property
    def count(self) -> int:
        """How many parts each batch is divided into."""
        return int(self._strategy.num_replicas_in_sync)

    def scope(self) -> AbstractContextManager[Any]:
        """Where the variables of what is trained are made: one copy per replica."""
        scope: AbstractContextManager[Any] = self._strategy.scope()
        return scope

    def one_epoch(self, network: keras.Model, batches: keras.utils.PyDataset) -> dict[str, float]:
        """Train `network`, made in the scope, one epoch; returns the running metrics.

        With several machines Keras's own `fit` fails (3.15: a `PerReplica` is no tensor), so its
        `train_step` is run here. A batch that cannot be divided is filled up with rows of weight 0,
        which the metrics count and the gradients do not.
        """
        step = self._step(network, batches[0])
        network.reset_metrics()
        for index in range(len(batches)):
            step(keras.tree.map_structure(self._distributed, self._divisible(*batches[index])))
        return {name: float(value) for name, value in network.get_metrics_result().items()}

    def of_first(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """What the first replica holds, in all; the others' arrays have the same shapes."""

        def share(array: NDArray[Any]) -> NDArray[Any]:
            known = array.astype(np.int64) if array.dtype.kind in "ui" else array
            values = self._strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(
                    known if context.replica_id_in_sync_group == 0 else np.zeros_like(known)
                )
            )
            total = self._strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)
            return np.asarray(total).astype(array.dtype)

        return [share(array) for array in arrays]

    def _step(self, network: keras.Model, batch: Any) -> Any:
        """The compiled step of a network; kept with it, for compiling takes seconds."""
        if network.train_function is None:
            with self.scope():
                make_metrics(network, batch)
            network.train_function = tf.function(
                lambda data: self._strategy.run(network.train_step, args=(data,)),
                reduce_retracing=True,
            )
        return network.train_function

    def _divisible(self, inputs: Any, targets: NDArray[Any]) -> tuple[Any, Any, Any]:
        """A batch filled up to a multiple of the replicas, and weights that undo that."""
        rows = len(targets)
        full = rows + -rows % self.count

        def fill(array: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([array, np.repeat(array[:1], full - rows, axis=0)])

        weights = np.zeros(full, np.float32)
        weights[:rows] = full / rows
        return keras.tree.map_structure(fill, inputs), fill(targets), weights

    def _distributed(self, array: NDArray[Any]) -> Any:
        """To each replica the rows that are its own."""
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.convert_to_tensor(
                array[context.replica_id_in_sync_group :: self.count]
            )
        )
