"""The section `split`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.common.params.section import Section, Seed


class Split(Section):
    """Who is trained on and who is tested on. `val` and `test` are shares of the patients. With
    `folds` train and val are cut into as many parts instead, of which number `fold` is val.
    """

    val: Annotated[float, Field(gt=0.0, lt=0.5)]
    test: Annotated[float, Field(gt=0.0, lt=0.5)]
    folds: Annotated[int, Field(ge=2, le=20)] | None
    fold: Annotated[int, Field(ge=0)]
    on_leak: Literal["fail", "move", "report"]
    seed: Seed

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> Split:
        if self.fold >= (self.folds or 1):
            raise ValueError(
                f"fold counts from 0 and is below folds, received fold {self.fold} of folds "
                f"{'null' if self.folds is None else self.folds}"
            )
        return self
