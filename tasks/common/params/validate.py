"""The section `validate`."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from tasks.common.params.section import Part, Positive

Intensities = Annotated[
    list[Annotated[float, Field(ge=0, le=255)]], Field(min_length=2, max_length=2)
]

SMALLEST = 16  # pixels of an original, high and wide


class ImageLimits(Part):
    """What a prepared image must keep to by itself; one that does not is quarantined."""

    intensity_mean: Intensities
    min_contrast: Annotated[float, Field(ge=0, le=127)]


class Validate(ImageLimits):
    """Limits that the expectation suites in `gx/expectations` name."""

    model_config = ConfigDict(extra="forbid")

    min_images_per_class: Positive
    drift: Annotated[float, Field(gt=0, le=3.2)]
    shortcut_auroc: Annotated[float, Field(ge=0.5, le=1.0)]
