"""The section `publish`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from tasks.common.params.section import Section

# MLflow refuses the first two, takes the name for a place in a URI up to the third, and cannot
# search for the fourth.
REFUSED = re.compile(r"[/:?'\x00-\x1f\x7f]")


def _fit_for_registry(name: str) -> str:
    if found := sorted(set(REFUSED.findall(name))):
        raise ValueError(
            f"MLflow cannot hold a model of this name: leave out {' '.join(map(repr, found))}"
        )
    if name.strip() in ("", ".", ".."):
        raise ValueError("MLflow cannot hold a model of this name: give it letters")
    return name


class Publish(Section):
    """Names in MLflow."""

    experiment: Annotated[str, Field(min_length=1, max_length=500)]
    model_name: Annotated[str, Field(max_length=256), AfterValidator(_fit_for_registry)]
