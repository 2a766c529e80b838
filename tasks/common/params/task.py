"""The section `task`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.common.errors import ParameterError
from tasks.common.params.section import Section


class Task(Section):
    """What is predicted. The order of `classes` is the order of every score; in a binary task the
    second class is the positive one. `auto`: the next pull writes the classes it finds.
    """

    kind: Literal["binary", "multiclass", "multilabel"]
    classes: Literal["auto"] | Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _classes_fit_kind(self) -> Task:
        if self.classes == "auto":
            return self
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must differ from one another")
        if self.kind == "binary" and len(self.classes) != 2:
            raise ValueError(
                f"a binary task has 2 classes, received {len(self.classes)}; "
                "with more set task.kind to multiclass or multilabel"
            )
        if self.kind == "multiclass" and len(self.classes) < 3:
            raise ValueError(
                f"a multiclass task has 3 classes or more, received {len(self.classes)}"
            )
        if self.kind == "multilabel" and any("|" in name for name in self.classes):
            raise ValueError("a class name must not contain '|', which joins labels")
        return self

    @property
    def names(self) -> list[str]:
        """The classes in their fixed order.

        Raises:
            ParameterError: they are still `auto`.
        """
        if self.classes == "auto":
            raise ParameterError(
                "task.classes is still 'auto': run `python -m tasks.pull`, which writes the "
                "classes it finds, or list them in params.yaml"
            )
        return list(self.classes)
