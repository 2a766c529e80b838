"""What only people know of a model, in `docs/owner.md`: fixed headings, and words below them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from tasks.common.errors import DataError

COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)  # one that nobody closed goes on to the end
SECTION = re.compile(r"^## +(.+?) *$", re.MULTILINE)
TEXT = "utf-8-sig"  # some editors begin a file with a mark of its coding


class Heading(StrEnum):
    """The headings, in the order of the file."""

    INTENDED_USE = "Intended use"
    NOT_FOR = "Not for"
    USERS = "Users"
    BENEFIT = "Benefit and harm"
    LIMITS = "Limits"
    AIM = "Aim"
    DESIGN = "Study design"
    PATIENTS = "Patients"
    PLACES = "Places and dates"
    COLLECTION = "Data collection"
    ACQUISITION = "Image acquisition"
    REFERENCE = "Reference standard"
    ANNOTATORS = "Annotators"
    BLINDING = "Blinding and timing"
    SPECTRUM = "Spectrum of disease"
    SAMPLE_SIZE = "Sample size"
    ETHICS = "Ethics and consent"
    UPDATES = "Updates"
    REGISTRATION = "Registration and protocol"
    AVAILABILITY = "Availability and contact"
    FUNDING = "Funding and interests"


Answers = Mapping[Heading, str]


def read(path: Path) -> dict[Heading, str]:
    """What stands below each heading, without comments; empty where nothing does, where the file
    lacks the heading, and where there is no file.

    Raises:
        DataError: the file is no text, or has a heading that is not known, or one twice.
    """
    if not path.exists():
        return dict.fromkeys(Heading, "")
    _, *parts = SECTION.split(COMMENT.sub("", _text(path)))
    headings, texts = parts[::2], parts[1::2]
    _require_known(headings, path)
    said = {Heading(name): text.strip() for name, text in zip(headings, texts, strict=True)}
    return {heading: said.get(heading, "") for heading in Heading}


def _text(path: Path) -> str:
    try:
        return path.read_text(TEXT)
    except UnicodeDecodeError:
        raise DataError(
            f"required: {path} as text in UTF-8; received: another coding. Save it as UTF-8"
        ) from None


def _require_known(headings: list[str], path: Path) -> None:
    """The message counts and does not quote: what people write may name somebody."""
    unknown = [at for at, name in enumerate(headings, 1) if name not in list(Heading)]
    twice = [at for at, name in enumerate(headings, 1) if name in headings[: at - 1]]
    for what, places in (("is not known", unknown), ("stands there twice", twice)):
        if places:
            raise DataError(
                f"required: in {path} each of these headings once, behind `## `: "
                f"{', '.join(Heading)}; received: heading {places[0]} of the file {what}. Give it "
                "its name back; a heading inside of an answer begins with `### `"
            )
