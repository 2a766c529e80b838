"""The section `train`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.common.params.section import Phase, Positive, Seed


class Train(Phase):
    """The head phase: the backbone is frozen. Threads, devices, precision and seed hold for the
    fine-tune phase too.
    """

    start: Literal["champion"] | Positive | None = None  # whose weights training goes on from
    epochs: Positive
    batch_normalisation: bool = False
    l1: Annotated[float, Field(ge=0.0)] = 0.0
    l2: Annotated[float, Field(ge=0.0)] = 0.0
    class_weights: bool
    threads: Annotated[int, Field(ge=1, le=256)]
    devices: Annotated[int, Field(ge=1, le=64)]
    precision: Literal["auto", "float32", "mixed_bfloat16"]
    seed: Seed
