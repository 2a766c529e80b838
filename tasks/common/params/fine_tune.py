"""The section `fine_tune`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.common.params.section import Phase


class FineTune(Phase):
    """The fine-tune phase: everything from `cut_layer` on is trained, and then averaged with the
    weights that the phase began with.
    """

    cut_layer: str  # a layer's name, or auto: the backbone's own default
    epochs: Annotated[int, Field(ge=0)]
    average: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0  # the share of the trained weights
