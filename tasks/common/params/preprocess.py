"""The section `preprocess`."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from tasks.common.params.pixels import PixelSettings
from tasks.common.params.section import Share


class Preprocess(PixelSettings):
    """Files to pixels: how, how many may fail, and where the work is done."""

    model_config = ConfigDict(extra="forbid")

    max_quarantined: Share
    cluster: Annotated[str, Field(pattern=r"^\w+://\S+$")] | None = None  # where, never what
