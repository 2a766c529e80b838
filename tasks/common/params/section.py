"""What the sections have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Confidence = Annotated[float, Field(ge=0.5, lt=1.0)]
Level = Annotated[float, Field(gt=0.0, lt=0.5)]

STEPS = 300  # of a phase with epochs: auto


class Section(BaseModel):
    """A section of `params.yaml`, whole: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Evolved(Section):
    """A section that had keys which nothing reads any more; an older file may still have them."""

    retired: ClassVar[frozenset[str]]

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {name: value for name, value in values.items() if name not in cls.retired}


class Phase(Section):
    """What both phases of training are told. What a file of before lacks has a default."""

    batch_size: Positive
    learning_rate: Rate
    schedule: Literal["cosine", "plateau"] | None = None
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    patience: Positive


class Part(BaseModel):
    """Some sections of `params.yaml`, or some keys of one: the others are not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
