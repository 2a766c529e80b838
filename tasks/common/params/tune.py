"""The section `tune`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.common.params.section import Positive, Section, Seed

Searched = Literal[
    "model.dropout",
    "train.learning_rate",
    "train.label_smoothing",
    "train.l1",
    "train.l2",
    "fine_tune.learning_rate",
    "fine_tune.label_smoothing",
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
    search: list[Searched] = Field(default=list(DEFAULT), min_length=1)
    seed: Seed = 29
