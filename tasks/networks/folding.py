"""Batch normalisation folded into the convolutions before it, as in the file that serves.

In inference mode it is a factor and an addend per channel (Jacob et al. 2018, arXiv 1712.05877,
section 3.2). Left to itself it takes about three tenths of the time of a pass on a CPU.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
from keras import layers, ops

from tasks.common.errors import TrainingError

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)

_made: WeakKeyDictionary[keras.Model, keras.Model] = WeakKeyDictionary()


def folded(model: keras.Model) -> keras.Model:
    """The same function as a network in inference mode, in fewer steps; it shares all weights. As
    long as the network is there it is made, and so compiled, only once.

    Raises:
        TrainingError: the weights are not finite.
    """
    _require_finite(model)
    if model in _made:
        return _made[model]
    network = _folded(model)
    if network is not model:
        _made[model] = network
    return network


def forget(model: keras.Model) -> None:
    """Let the next call make a new one, of the types in which the layers compute then."""
    _made.pop(model, None)


class Joined(layers.Layer):  # type: ignore[misc]  # keras ships no types
    """A convolution that does the work of the normalisation behind it."""

    def __init__(self, convolution: layers.Layer, norm: layers.BatchNormalization) -> None:
        # Not cast to the type in which it computes: the factor is one of float32.
        super().__init__(dtype=convolution.dtype_policy, autocast=False)
        self._convolution, self._norm = convolution, norm
        self.built = True

    def call(self, inputs: Any) -> Any:
        """What both give one after the other."""
        norm, layer = self._norm, self._convolution
        factor = ops.rsqrt(norm.moving_variance + norm.epsilon)
        if norm.scale:
            factor *= norm.gamma
        addend = -norm.moving_mean * factor
        if norm.center:
            addend += norm.beta
        if layer.use_bias:
            addend += layer.bias * factor
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        channels = layer.kernel.shape[-2:] if depthwise else layer.kernel.shape[-1:]
        found = (ops.depthwise_conv if depthwise else ops.conv)(
            self._cast(inputs),
            self._cast(layer.kernel * ops.reshape(factor, channels)),
            strides=layer.strides,
            padding=layer.padding,
            data_format=layer.data_format,
            dilation_rate=layer.dilation_rate,
        )
        return ops.add(found, self._cast(ops.reshape(addend, (1, 1, 1, -1))))

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """That of the convolution."""
        return self._convolution.compute_output_spec(inputs)

    def _cast(self, tensor: Any) -> Any:
        return ops.cast(tensor, self.compute_dtype)


def _require_finite(model: keras.Model) -> None:
    """A convolution that is computed together with ReLU6 may make plain numbers of others."""
    if all(np.isfinite(weights).all() for weights in model.get_weights()):
        return
    raise TrainingError(
        "required: finite weights; received: others, so what the network gives is not finite; "
        "check the file behind model.weights"
    )


def _folded(model: keras.Model) -> keras.Model:
    norms = _only_readers(model)
    parts = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    others = {part.name: _folded(part) for part in parts}
    if not norms and not others:
        return model
    others |= {name: Joined(model.get_layer(name), norm) for name, norm in norms.items()}
    gone = {norm.name for norm in norms.values()}

    def take(operation: keras.Operation) -> keras.Operation:
        return others.get(operation.name, operation)

    def call(operation: keras.Operation, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if operation.name in gone else operation(*inputs, **options)

    bare = keras.Model(model.input, model.output)  # a compiled one would have its clone compiled
    return keras.models.clone_model(bare, clone_function=take, call_function=call)


def _only_readers(model: keras.Model) -> dict[str, layers.BatchNormalization]:
    """The name of a convolution -> the batch normalisation that alone reads what it gives."""
    read = [tensor for operation in model.operations for tensor in _inputs(operation)]
    readers = Counter(id(tensor) for tensor in [*read, *model.outputs])
    makers = {
        id(layer.output): layer.name
        for layer in model.layers
        if isinstance(layer, CONVOLUTIONS)
        and layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
        and readers[id(layer.output)] == 1
    }
    return {
        makers[id(layer.input)]: layer
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
        and layer.axis in (-1, 3)
        and id(layer.input) in makers
    }


def _inputs(operation: keras.Operation) -> list[keras.KerasTensor]:
    if isinstance(operation, layers.InputLayer):
        return []
    found: list[keras.KerasTensor] = keras.tree.flatten(operation.input)
    return found
