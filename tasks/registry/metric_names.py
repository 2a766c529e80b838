"""Names of metrics that MLflow takes, one to one with what people call classes and slices."""

from __future__ import annotations

import re

from tasks.common import digests

LONGEST = 250  # characters of a name
OTHER = r"[^\w.\- ]"  # what a part of a name may not hold
# An underscore with which, in the encoded name, a code would seem to begin.
LIKE_A_CODE = re.compile(rf"_(?=x[0-9A-F]*(?:_|{OTHER}))")
OTHERS = re.compile(OTHER)
CHANGED = {"": "_x_", ".": "_x2E_", "..": "_x2E_."}  # MLflow reads names as paths


def part(name: str) -> str:
    """One part of a name: what MLflow takes stays, any other character becomes `_x<code>_`, with
    its Unicode code in hexadecimal digits: `<5 mm` gives `_x3C_5 mm`.
    """
    if name in CHANGED:
        return CHANGED[name]
    return OTHERS.sub(lambda found: _code(found[0]), LIKE_A_CODE.sub(_code("_"), name))


def whole(name: str) -> str:
    """A name of several parts, cut to the length that MLflow takes, with a digest of the whole."""
    if len(name) <= LONGEST:
        return name
    tail = f"-{digests.of_bytes(name.encode())[:16]}"
    return name[: LONGEST - len(tail)] + tail


def _code(character: str) -> str:
    return f"_x{ord(character):X}_"
