"""The section `audit`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.common.params.section import Section


class Audit(Section):
    """Likely label errors: how many of the likeliest are shown."""

    examples: Annotated[int, Field(ge=1, le=64)]
