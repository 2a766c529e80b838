"""The section `augment`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.common.params.section import Positive, Section, Seed


class Augment(Section):
    """Random views of the training images. `views: 0` draws one anew every epoch and stores none of
    its activations; `refresh` is the number of epochs after which views are drawn anew.
    """

    preset: Literal["none", "radiograph", "tutorial"]
    views: Annotated[int, Field(ge=0, le=64)]
    refresh: Positive | None
    seed: Seed
