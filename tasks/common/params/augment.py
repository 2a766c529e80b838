"""The section `augment`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.common.params.section import Positive, Section, Seed


class Augment(Section):
    """Random views of the training images. `views: 0` draws one anew every epoch and stores none of
    its activations; `refresh` is the number of epochs after which views are drawn anew. A score is
    that of the image and of `test_views` views of it, the same for every image; with the preset
    `none` there are no views.
    """

    preset: Literal["none", "radiograph", "tutorial"]
    views: Annotated[int, Field(ge=0, le=64)]
    refresh: Positive | None
    seed: Seed
    test_views: Annotated[int, Field(ge=0, le=16)] = 0  # earlier files have none
