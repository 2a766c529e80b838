"""The keys of the section `preprocess` that decide the pixels of a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tasks.common.params.section import Part

WINDOWS = (
    *("abdomen", "bone", "brain", "liver", "lung", "mammography", "mediastinum", "soft_tissue"),
    *("spine", "stroke", "subdural", "temporal_bone"),
)


class PixelSettings(Part):
    """What the pixels depend on. `size` is height and width in pixels; `window` is centre and width
    in stored units after rescale (Hounsfield units in CT), a preset of `WINDOWS` (all for CT but
    `mammography`), or null for the window of the header. Only DICOM has one. Without a `fit`, as in
    versions of before, each axis is stretched.
    """

    size: Annotated[list[Annotated[int, Field(ge=16, le=2048)]], Field(min_length=2, max_length=2)]
    fit: Literal["stretch", "pad"] = "stretch"
    color: Literal["grey", "rgb"]
    window: list[Annotated[float, Field(allow_inf_nan=False)]] | str | None

    def plain(self) -> dict[str, Any]:
        """These keys alone as JSON has them, without what a whole section adds."""
        return self.model_dump(include=set(PixelSettings.model_fields))

    @model_validator(mode="after")
    def _window_is_known(self) -> Self:
        if isinstance(self.window, str) and self.window not in WINDOWS:
            raise ValueError(f"window is one of {', '.join(WINDOWS)}; received {self.window!r}")
        if isinstance(self.window, list) and (len(self.window) != 2 or self.window[1] < 1):
            raise ValueError(f"window is [centre, width] with width >= 1, received {self.window}")
        return self
