"""The section `model`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.common.params.section import Section


class Model(Section):
    """The network."""

    backbone: Literal[
        "EfficientNetLite0", "ResNet50", "VGG16", "DenseNet121", "MobileNetV2", "EfficientNetV2B0"
    ]
    weights: str  # imagenet | none | path of a weights file
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
