"""Find one's way in a flat graph: where it can be cut, and which layers are worth a look."""

from __future__ import annotations

import re
from itertools import accumulate

import keras

from tasks.common.errors import ParameterError
from tasks.networks.architecture import DROPOUT, POOLED, STAGES
from tasks.networks.backbones import BACKBONES, ONNX

BLOCK = re.compile(r".*?block_?\d+[a-z]?(?=_)")  # how the name of a layer in a block begins


def cut_layers(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """The layers before which the graph can be cut, and the tensor that crosses the cut.

    A cut is possible where a single tensor separates all that comes before from all that comes
    after; inside a residual block it is not, for the shortcut would be cut too.
    """
    operations = model.operations  # in topological order
    maker = {
        id(tensor): i for i, op in enumerate(operations) for tensor in keras.tree.flatten(op.output)
    }
    reach = [0] * len(operations)
    for j, operation in enumerate(operations):
        for tensor in keras.tree.flatten(operation.input):
            reach[maker[id(tensor)]] = j
    past = list(accumulate(reach, max, initial=0))  # how far everything before i reaches
    cuts = {}
    for operation in operations[1:]:
        tensors = {id(tensor): tensor for tensor in keras.tree.flatten(operation.input)}
        first = min(maker[key] for key in tensors)
        if len(tensors) == 1 and first > 0 and past[first] <= first:
            cuts[operation.name] = next(iter(tensors.values()))
    return cuts


def cut(model: keras.Model, layer: str) -> tuple[keras.Model, keras.Model]:
    """The frozen prefix and the suffix that begins with `layer`; both share the model's weights.

    Raises:
        ParameterError: the graph has no such layer, or cannot be cut before it.
    """
    cuts = cut_layers(model)
    if layer not in cuts:
        names = {operation.name for operation in model.operations}
        inside = "lies inside a residual block, or behind a stage that model.pool: stages pools"
        problem = inside if layer in names else "is no layer of the network"
        raise ParameterError(
            f"fine_tune.cut_layer: {layer!r} {problem}; required: auto or one of {', '.join(cuts)}"
        )
    return keras.Model(model.input, cuts[layer]), keras.Model(cuts[layer], model.output)


def train_only(model: keras.Model, suffix: keras.Model) -> None:
    """Freeze `model` except for the layers of `suffix`. Batch normalisation is frozen everywhere:
    frozen, it also stays in inference mode, for small batches would spoil its statistics.
    """
    trained = {layer.name for layer in suffix.layers}
    for layer in model.layers:
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer.name in trained and not normalises


def default_cut(backbone: str) -> str:
    """Where fine-tuning begins with `fine_tune.cut_layer: auto`; behind all that an ONNX file
    computes, since nothing of that is trained.
    """
    return DROPOUT if backbone == ONNX else BACKBONES[backbone].cut_layer


def cuts_around(model: keras.Model, backbone: str) -> list[str]:
    """The cut layers with which fine-tuning trains twice as many blocks of the backbone as with the
    default one, as many, and half as many, where there are such and the graph can be cut there.
    """
    first: dict[str, str] = {}
    for layer in cut_layers(model):
        if block := BLOCK.match(layer):
            first.setdefault(block[0], layer)
    default = default_cut(backbone)
    block = BLOCK.match(default)
    if block is None:
        return [default]
    named = [BLOCK.match(layer.name) for layer in model.layers]
    blocks = list(dict.fromkeys(match[0] for match in named if match))
    trained = len(blocks) - blocks.index(block[0])
    wanted = [count for count in (2 * trained, trained, trained // 2) if 0 < count <= len(blocks)]
    cuttable = [count for count in wanted if blocks[-count] in first]
    return [default if count == trained else first[blocks[-count]] for count in cuttable]


def last_conv_layer(model: keras.Model) -> str:
    """The last layer whose output still has height and width: what Grad-CAM looks at. Where several
    stages are pooled, it holds the maps of all of them.

    A pooling that ends the backbone (VGG16) is left out, for it halves the heatmap's resolution.
    """
    layer = _maker(model, model.get_layer(POOLED).input)
    if isinstance(layer, keras.layers.MaxPooling2D):
        layer = _maker(model, layer.input)
    return str(layer.name)


def has_places(model: keras.Model) -> bool:
    """Whether the last maps have more than one place, so that a heatmap can be made of them."""
    return bool(model.get_layer(last_conv_layer(model)).output.shape[1:3] != (1, 1))


def feature_layers(model: keras.Model) -> list[str]:
    """An early and a late layer whose maps are worth showing, where there are such: the first
    activation after a convolution, and the backbone's last layer before pooling.
    """
    early = _first_activation(model)
    late = last_conv_layer(model) if has_places(model) else None
    if late == STAGES:
        late = str(_maker(model, model.get_layer(STAGES).input[-1]).name)
    return [name for name in (early, late) if name is not None]


def _first_activation(model: keras.Model) -> str | None:
    seen_convolution = False
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Activation, keras.layers.ReLU)) and seen_convolution:
            return str(layer.name)
        if isinstance(layer, keras.layers.Conv2D):
            if layer.activation is not keras.activations.linear:
                return str(layer.name)
            seen_convolution = True
    return None


def _maker(model: keras.Model, tensor: keras.KerasTensor) -> keras.Layer:
    return next(layer for layer in model.layers if layer.output is tensor)
