"""Places in a report for what is known only when the gate has judged.

The stage writes the report before that, and its bytes must repeat: no verdict, date or id can stand
in it. It marks where such belongs, and the gate fills the places of a copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial


def fill(report: str, texts: Mapping[str, str]) -> str:
    """A report, HTML or Markdown, with `texts` in the places of these names. What it has no place
    for, as one of an earlier version, stands before it.
    """
    for name, text in texts.items():
        place = re.compile(rf"<!-- place: {name} -->.*?<!-- end: {name} -->", re.DOTALL)
        report, found = place.subn(partial(_text, text), report, count=1)
        report = report if found else f"{text}\n{report}"
    return report


def _text(text: str, _: re.Match[str]) -> str:
    """As it is: a backslash in it means nothing."""
    return text
