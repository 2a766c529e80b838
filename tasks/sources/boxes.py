"""Boxes around findings in a column of a CSV, as masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tasks.imaging import masks

SEVERAL = ";"
FORM = f"a box must be left top right bottom in pixels, several apart by {SEVERAL}"
Box = tuple[float, float, float, float]


def parse(text: str) -> list[Box]:
    """The boxes of a cell.

    Raises:
        ValueError: it is not as `FORM` says.
    """
    return [_parse_one(one) for one in text.split(SEVERAL) if one.strip()]


def mask_of(text: str, read: Callable[[], bytes]) -> Callable[[], bytes]:
    """What gives the mask of the boxes in an image that `read` gives the bytes of."""
    return partial(_drawn, read, parse(text))


def _drawn(read: Callable[[], bytes], boxes: Sequence[Box]) -> bytes:
    return masks.of_boxes(read(), boxes)


def _parse_one(text: str) -> Box:
    try:
        left, top, right, bottom = map(float, text.replace(",", " ").split())
    except ValueError:
        raise ValueError(FORM) from None
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError(FORM)
    return left, top, right, bottom
