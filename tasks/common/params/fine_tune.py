"""The section `fine_tune`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.common.params.section import Phase


class FineTune(Phase):
    """The fine-tune phase: everything from `cut_layer` on is trained."""

    cut_layer: str  # a layer's name, or auto: the backbone's own default
    epochs: Annotated[int, Field(ge=0)]
