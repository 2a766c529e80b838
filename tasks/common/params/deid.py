"""The section `deid`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from tasks.common.params.section import Section


def _is_fingerprint(key_id: str) -> str:
    if not re.fullmatch("[0-9a-f]{16}", key_id):
        raise ValueError("a key's fingerprint is 16 hexadecimal digits, as `make key` writes it")
    return key_id


class Deid(Section):
    """De-identification: the fingerprint of the key in use, and what becomes of kinds of images
    that often carry burned-in text (ultrasound, secondary capture, screenshots).
    """

    key_id: Annotated[str, AfterValidator(_is_fingerprint)]
    burned_in: Literal["detect", "quarantine", "keep"]
