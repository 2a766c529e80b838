"""The running metrics of a compiled network."""

from __future__ import annotations

from typing import Any

import keras


def make_metrics(network: keras.Model, batch: Any) -> None:
    """The metrics' variables, for inputs and targets like those of `batch`; no public call makes
    them before a step, in Keras 3.15.
    """
    network._symbolic_build(data_batch=(*batch, None))
