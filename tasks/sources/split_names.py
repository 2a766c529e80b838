"""What the sides of a split are called by those who publish data."""

from __future__ import annotations

import re

HABITS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing", "tst"),
}
_SIDES = {habit: side for side, habits in HABITS.items() for habit in habits}
_FILLERS = "(?:data|dataset|datasets|set|sets|split|images|image|imgs|img|folder)*"
_NAME = re.compile(f"{_FILLERS}({'|'.join(_SIDES)}){_FILLERS}")
_BETWEEN = re.compile(r"[\W_]+")


def side_of(name: str) -> str | None:
    """The side that a name means, or None: `Training`, `VALID`, `test-set` and `img_dev` mean one.

    Case and what stands between letters do not count, nor words such as `set` and `data`.
    """
    found = _NAME.fullmatch(_BETWEEN.sub("", name).casefold())
    return _SIDES[found[1]] if found else None
