"""Places of many frames in few pictures, so that a reader sees each where it belongs.

On a blank sheet, scraps of speckle beside each other look like words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tasks.imaging.levels import Numbers, Pixels
from tasks.imaging.strokes import Box

OPEN = 8  # pictures that are held


def collages(base: Pixels, views: Iterable[tuple[Pixels, Sequence[Box]]]) -> Iterator[Pixels]:
    """Copies of a frame, over which places of others are pasted where they belong, none over one of
    another frame.

    Args:
        base: `(H, W)` or `(H, W, 3)`.
        views: frames of the same shape and places in them; they are taken one by one.
    """
    pictures: list[tuple[Pixels, Numbers]] = []  # and which frame is where; none at 0
    for number, (frame, boxes) in enumerate(views, 1):
        for box in boxes:
            free = next(
                (picture for picture in pictures if _is_free(box.of(picture[1]), number)), None
            )
            if free is None:
                if len(pictures) == OPEN:
                    yield pictures.pop(0)[0]
                free = base.copy(), np.zeros(base.shape[:2], np.int32)
                pictures.append(free)
            box.of(free[0])[:] = box.of(frame)
            box.of(free[1])[:] = number
    yield from (picture for picture, _ in pictures)


def _is_free(place: Numbers, number: int) -> bool:
    return bool(((place == 0) | (place == number)).all())
