"""The section `deid`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.common.params.section import Section


class Deid(Section):
    """De-identification: the fingerprint of the key in use, and what becomes of kinds of images
    that often carry burned-in text (ultrasound, secondary capture, screenshots).
    """

    key_id: Annotated[str, Field(min_length=8)]
    burned_in: Literal["detect", "quarantine", "keep"]
