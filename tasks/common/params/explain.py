"""The section `explain`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.common.params.section import Section


class Explain(Section):
    """Grad-CAM overlays: images shown per class, for right and for wrong predictions."""

    examples: Annotated[int, Field(ge=1, le=16)]
