"""The section `compress`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.common.params.section import Section, Share


class Compress(Section):
    """The ONNX files, and what int8 may cost on val: `max_auroc_drop` of AUROC, and `max_changed`,
    a share of the images whose prediction at the operating point becomes another.
    """

    calibration_images: Annotated[int, Field(ge=8, le=10_000)]
    max_auroc_drop: Share = 0.005  # earlier files have neither
    max_changed: Share = 0.01
