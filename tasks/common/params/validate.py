"""The section `validate`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.common.params.section import Positive, Section

Intensities = Annotated[
    list[Annotated[float, Field(ge=0, le=255)]], Field(min_length=2, max_length=2)
]


class Validate(Section):
    """Limits that the expectation suites in `gx/expectations` name."""

    min_images_per_class: Positive
    intensity_mean: Intensities
    min_contrast: Annotated[float, Field(ge=0, le=127)]
    drift: Annotated[float, Field(gt=0, le=3.2)]
    shortcut_auroc: Annotated[float, Field(ge=0.5, le=1.0)]
