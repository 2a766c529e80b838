"""Mixed precision: the backbone in bfloat16 where the device gains from it.

The weights stay float32, and so do normalisation, pooling, head, scores and losses. The network is
built, saved and loaded in float32; only while it is trained do the layers of its backbone compute
in another type. So the saved model knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras

from tasks.networks import device
from tasks.networks.architecture import NORMALISED, POOLED
from tasks.networks.folding import forget

FLOAT, MIXED = "float32", "mixed_bfloat16"


def chosen(precision: str) -> str:
    """What `train.precision` says; `auto`: mixed where the device has units for bfloat16."""
    if precision != "auto":
        return precision
    return MIXED if device.backend.gains_from_bfloat16() else FLOAT


@contextmanager
def computing(model: keras.Model, precision: str) -> Iterator[None]:
    """Let the backbone of `model`, made by `build` and float32, compute as `train.precision` says.

    Parts that are cut from it inside must not be used outside, for they stay compiled as they were.
    """
    policy, layers = chosen(precision), _backbone(model)
    if policy == FLOAT or not layers:
        if precision == MIXED:
            print("ONNX Runtime computes the backbone, in the types of its file", flush=True)
        yield
        return
    print(f"The backbone computes in {policy}", flush=True)
    _set(model, layers, policy)
    try:
        yield
    finally:
        _set(model, layers, FLOAT)


def _set(model: keras.Model, layers: Sequence[keras.Layer], policy: str) -> None:
    for layer in layers:
        layer.dtype_policy = policy
    model.predict_function = None  # it would stay compiled as it was
    forget(model)


def _backbone(model: keras.Model) -> list[keras.Layer]:
    """The layers between normalisation and pooling; none of what ONNX Runtime computes."""
    names = [layer.name for layer in model.layers]
    if NORMALISED not in names:
        return []
    return list(model.layers[names.index(NORMALISED) + 1 : names.index(POOLED)])
