"""What the reviewed list of words lacks of a text that the project writes."""

from __future__ import annotations

import re

from tasks.privacy import identifiers

DIGITS = re.compile(r"(?=.*\d)[0-9a-f]+")  # counts and digests


def require_listed(text: str, known: str = "") -> None:
    """Every word that is looked for by itself stands in the list, or in `known`.

    Raises:
        AssertionError: it says which words are missing, and what to do.
    """
    words = {mark for mark in identifiers.of_text(text) if identifiers.WORD.fullmatch(mark)}
    words = {word for word in words if not DIGITS.fullmatch(word)}
    missing = words - identifiers.listed() - identifiers.words_of(known)
    assert not missing, (
        f"{identifiers.LISTED.name} lacks: {', '.join(sorted(missing))}. A patient or a folder of "
        "a source that is called so would stop every run. Add them in their places, after a look "
        "whether people are called so: then rather choose another word for what is recorded"
    )
