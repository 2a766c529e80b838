"""The section `fine_tune`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.common.params.section import Phase


class FineTune(Phase):
    """The fine-tune phase: everything from `cut_layer` on is trained, and then averaged with the
    weights that the phase began with. With `epochs: auto` it takes about `section.STEPS` steps
    whatever the count of images, and at least an epoch: fewer move little, many more learn the
    acquisition.
    """

    cut_layer: str  # a layer's name, or auto: the backbone's own default
    epochs: Literal["auto"] | Annotated[int, Field(ge=0)]
    average: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0  # the share of the trained weights
