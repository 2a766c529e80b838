"""The section `compress`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.common.params.section import Section


class Compress(Section):
    """int8 ONNX export."""

    calibration_images: Annotated[int, Field(ge=8, le=10_000)]
