"""The section `split`."""

from __future__ import annotations

import re
from typing import Annotated, Literal, cast

from pydantic import Field, field_validator, model_validator

from tasks.common.params.section import Section, Seed

FROM_BATCH = re.compile(r"drop from batch ([1-9]\d{0,5})")
NO_MOVE = (
    "`move` is no more, it emptied the test set: set `drop`; where data were split with `move` "
    "already, `drop from batch N` with N the `batches` of reports/split.json (`dvc checkout` of "
    "that file brings it back), so that these stay on their sides"
)


class Split(Section):
    """Who is trained on and who is tested on. `val` and `test` are shares of the patients. With
    `folds` train and val are cut into as many parts instead, of which number `fold` is val.
    """

    val: Annotated[float, Field(gt=0.0, lt=0.5)]
    test: Annotated[float, Field(gt=0.0, lt=0.5)]
    folds: Annotated[int, Field(ge=2, le=20)] | None
    fold: Annotated[int, Field(ge=0)]
    on_leak: str  # fail | drop | report | drop from batch N
    seed: Seed

    @field_validator("on_leak")
    @classmethod
    def _leaks_have_a_mode(cls, value: str) -> str:
        if value == "move":
            raise ValueError(NO_MOVE)
        if value not in ("fail", "drop", "report") and not FROM_BATCH.fullmatch(value):
            raise ValueError("on_leak is fail, drop or report")
        return value

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> Split:
        if self.fold >= (self.folds or 1):
            raise ValueError(
                f"fold counts from 0 and is below folds, received fold {self.fold} of folds "
                f"{'null' if self.folds is None else self.folds}"
            )
        return self

    @property
    def mode(self) -> Literal["fail", "drop", "report"]:
        """What is done about leaks of the source's own split."""
        return cast(Literal["fail", "drop", "report"], self.on_leak.partition(" ")[0])

    @property
    def dropped_from(self) -> int:
        """The first batch that `drop` is for. Those before it stand as `move`, which is no more,
        has placed them: each leaking group on one side, train before val before test.
        """
        found = FROM_BATCH.fullmatch(self.on_leak)
        return int(found[1]) if found else 0
