"""The section `preprocess`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from tasks.common.params.pixels import PixelSettings
from tasks.common.params.section import Share


class Preprocess(PixelSettings):
    """Files to pixels: how, how many may fail, and where the work is done."""

    model_config = ConfigDict(extra="forbid")

    max_quarantined: Share
    cluster: Annotated[str, Field(pattern=r"^\w+://\S+$")] | None = None  # where, never what

    @model_validator(mode="before")
    @classmethod
    def _says_how_to_fit(cls, values: Any) -> Any:
        """DVC asks for each key that `dvc.yaml` names, so a file of before cannot do without."""
        if isinstance(values, Mapping) and "size" in values and "fit" not in values:
            raise ValueError("fit: required; write `fit: stretch` below size, as it was before")
        return values
