"""What the sections have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Confidence = Annotated[float, Field(ge=0.5, lt=1.0)]


class Section(BaseModel):
    """A section of `params.yaml`, whole: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Part(BaseModel):
    """Some sections of `params.yaml`, or some keys of one: the others are not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
