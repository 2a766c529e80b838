"""The section `tune`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.common.params.section import Positive, Section, Seed

Searched = Literal[
    "model.pool",
    "model.dropout",
    "augment.preset",
    "augment.views",
    "train.learning_rate",
    "train.schedule",
    "train.batch_size",
    "train.batch_normalisation",
    "train.label_smoothing",
    "train.l1",
    "train.l2",
    "fine_tune.learning_rate",
    "fine_tune.schedule",
    "fine_tune.label_smoothing",
    "fine_tune.cut_layer",
]

DEFAULT: tuple[Searched, ...] = (
    "train.learning_rate",
    "train.label_smoothing",
    "train.l2",
    "model.dropout",
)


class Tune(Section):
    """The search for settings. With a key of `fine_tune` each trial runs both phases, else the head
    phase alone.
    """

    trials: Positive = 20
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    search: list[Searched] = Field(default=list(DEFAULT), min_length=1)
    seed: Seed = 29
