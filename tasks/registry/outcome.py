"""The words of a verdict, from the best to the worst: one vocabulary for the ledger and for people.

`FIRST` and the next three pass. What is too small to judge did neither pass nor fail: a person may
promote it and says why.
"""

from __future__ import annotations

from collections.abc import Iterable

FIRST = "first"
BETTER = "better"
NOT_WORSE = "not worse"
WITHIN = "worse but within the margin"
TOO_SMALL = "too small to judge"
FAILED = "failed"

ORDER = (FIRST, BETTER, NOT_WORSE, WITHIN, TOO_SMALL, FAILED)


def worst(words: Iterable[str]) -> str:
    """The word that all of several leave; `FIRST` where there are none."""
    return max(words, key=ORDER.index, default=FIRST)


def kind(word: str, alone: bool) -> str:
    """The ledger's kind of such a verdict; `alone`: there was no champion."""
    if word in (TOO_SMALL, FAILED):
        return "failed" if word == FAILED else "undecided"
    return "first" if alone else "passed"
