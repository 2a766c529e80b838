"""The section `model`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.common.params.section import Section
from tasks.common.weights_file import BUILT_IN

STAGED = ("EfficientNetLite0", "EfficientNetLite1", "EfficientNetLite2")  # have several to pool
Channels = Annotated[list[float], Field(min_length=1, max_length=3)]


class OnnxPixels(Section):
    """How an ONNX file wants its pixels: `(pixel / 255 - mean) / std`, with one number for all
    channels or one for each of red, green, blue; `channels` is their order in the file.
    """

    mean: Channels
    std: Annotated[list[Annotated[float, Field(gt=0.0)]], Field(min_length=1, max_length=3)]
    channels: Literal["rgb", "bgr"] = "rgb"

    @model_validator(mode="after")
    def _one_or_three(self) -> Self:
        if {len(self.mean), len(self.std)} - {1, 3}:
            raise ValueError("mean and std have one number or three (red, green, blue)")
        return self


class Model(Section):
    """The network."""

    backbone: Literal[
        "EfficientNetLite0",
        "EfficientNetLite1",
        "EfficientNetLite2",
        "ResNet50",
        "VGG16",
        "DenseNet121",
        "MobileNetV2",
        "EfficientNetV2B0",
        "onnx",
    ]
    weights: str  # imagenet | none | path of a weights file
    onnx: OnnxPixels | None = None  # of backbone: onnx
    pool: Literal["last", "stages"] = "last"
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]

    @model_validator(mode="after")
    def _a_file_brings_all(self) -> Self:
        if self.backbone == "onnx" and (self.weights in BUILT_IN or self.onnx is None):
            raise ValueError(
                "backbone: onnx needs the path of an ONNX file in weights, and in onnx the mean "
                "and std that its pixels are normalised with, such as {mean: [0.5], std: [0.5]}"
            )
        return self

    @model_validator(mode="after")
    def _has_stages(self) -> Self:
        if self.pool == "stages" and self.backbone not in STAGED:
            raise ValueError(
                f"pool: required last with backbone: {self.backbone}; received stages, which are "
                f"known of {', '.join(STAGED)}"
            )
        return self


def require_frozen(model: Model, epochs: int | str) -> None:
    """What an ONNX file computes cannot be trained.

    Raises:
        ValueError: `epochs`, of the fine-tune phase, are to be.
    """
    if model.backbone == "onnx" and epochs:
        raise ValueError(
            f"fine_tune.epochs: required 0, for model.backbone: onnx stays as it is and only its "
            f"head is trained; received {epochs}. Set fine_tune.epochs to 0"
        )
