"""What Keras's backends say or do each in their own way, as one interface.

`tensorflow_backend` and `jax_backend` are modules that have it, and `device.backend` is the one in
use. Beside these two only `replicas` imports a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import keras

if TYPE_CHECKING:
    from tasks.networks.replicas import Replicas

Forward = Callable[[Any], Any]
OverRows = Callable[[Any, Any, int], dict[str, Any]]
OverBatches = Callable[[keras.utils.PyDataset], dict[str, Any]]


class Backend(Protocol):
    """A backend of Keras."""

    LOOPS_ON_CPUS: bool  # whether a step takes as long in a loop that is compiled as outside

    def packages(self) -> Sequence[str]:
        """The packages whose versions the bits of results depend on."""

    def set_threads(self, threads: int) -> None:
        """Compute with so many threads.

        Raises:
            RuntimeError: it has already started with another number.
        """

    def threads(self) -> int:
        """The threads set; 0: as many as it likes."""

    def make_exact(self) -> None:
        """Let equal inputs give equal bits and float32 be no less, also where a GPU has units that
        round it, and claim GPU memory only as it is needed.
        """

    def use_first_only(self) -> None:
        """Leave every GPU but the first one to others."""

    def share_out(self, devices: int, machines: int) -> Replicas | None:
        """Let so many devices of each machine train together; as replicas, where the backend's own
        calls do not see to it.

        Raises:
            TrainingError: there are fewer.
        """

    def gpus(self) -> list[str]:
        """The names of the GPUs that are there."""

    def gains_from_bfloat16(self) -> bool:
        """Whether every device has units for it."""

    def memory(self) -> int | None:
        """Bytes that are free on each device in use; None: it computes where the host's arrays
        lie.
        """

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether an error says that the device has no memory left for what was asked."""

    def gradient(self, function: Callable[[Any], Any], at: Any) -> Any:
        """The gradient of the sum of what `function` gives, at the tensor `at`."""

    def put(self, array: Any) -> Any:
        """An array on the device, or on each of those that train together."""

    def forward(self, network: Any) -> Forward:
        """Make a call from a batch of inputs to outputs in inference mode, left on the device."""

    def on_host(self, function: Callable[[Any], Any], inputs: Any, shape: Sequence[int]) -> Any:
        """What a function of arrays makes of a batch, float32 `(N, *shape)`, within a graph too;
        no gradient passes it.
        """

    def over_rows(self, network: Any, batch: Any) -> OverRows:
        """Make a call that trains on batches of rows of arrays on the device."""

    def over_batches(self, network: Any, batch: Any) -> OverBatches:
        """Make a call that trains on batches that the host makes, from fresh metrics to their
        results.
        """
