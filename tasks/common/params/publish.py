"""The section `publish`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.common.params.section import Section


class Publish(Section):
    """Names in MLflow."""

    experiment: Annotated[str, Field(min_length=1)]
    model_name: Annotated[str, Field(min_length=1)]
