"""Small pictures that are much alike, as in a large set of small ones, drawn from a seed.

Every thousand holds people of one build, whose hashes agree and whose detail does not; stacks of
neighbouring slices; copies, scaled, brighter, flatter or noisy; and pictures that are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels

SIDES = (28, 48, 64)  # pixels per side of people's pictures, in turn; others have the last
BUILDS = 6  # coarse pictures that thousands share, in turn
PEOPLE, SLICES, COPIES, EQUAL = 400, 300, 200, 100  # of every thousand
STACK, GAP = 60, 8  # slices of a stack, and from one that is drawn to the next
DETAIL = 14.0  # standard deviation of what makes a person, of 255

Drawn = NDArray[np.float32]


def draw(count: int) -> Iterator[tuple[Pixels, int]]:
    """`count` pictures, grey, at most 64 pixels per side, and a number of whom each shows, apart
    within a thousand; the same at every call.
    """
    for number in range(count):
        thousand, place = divmod(number, PEOPLE + SLICES + COPIES + EQUAL)
        for kind, share in ((_person, PEOPLE), (_slice, SLICES), (_copy, COPIES), (_equal, EQUAL)):
            if place < share:
                who, picture = kind(thousand, place)
                yield np.clip(picture, 0, 255).astype(np.uint8), who
                break
            place -= share


def _person(thousand: int, place: int) -> tuple[int, Drawn]:
    return place, _scaled(_of(thousand, 0, place), SIDES[place % len(SIDES)], cv2.INTER_AREA)


def _slice(thousand: int, place: int) -> tuple[int, Drawn]:
    """Between the two of its stack that are drawn."""
    stack, height = divmod(place, STACK)
    below, above = divmod(height, GAP)
    low, high = (_of(thousand, 1, stack, below + step) for step in (0, 1))
    return PEOPLE + stack, low + (high - low) * (above / GAP)


def _copy(thousand: int, place: int) -> tuple[int, Drawn]:
    original, change = divmod(place, len(CHANGES))
    return PEOPLE + SLICES + original, CHANGES[change](_of(thousand, 2, original))


def _equal(thousand: int, place: int) -> tuple[int, Drawn]:
    return PEOPLE + SLICES + COPIES, _of(thousand, 3)


def _of(thousand: int, *who: int) -> Drawn:
    """The picture of somebody: the build, and detail of their own."""
    build = np.random.default_rng(thousand % BUILDS).uniform(20, 235, (7, 7)).astype(np.float32)
    detail = np.random.default_rng((thousand, *who)).normal(0, DETAIL, (20, 20)).astype(np.float32)
    coarse, fine = (_scaled(part, SIDES[-1], cv2.INTER_CUBIC) for part in (build, detail))
    return coarse + fine


def _scaled(picture: Drawn, side: int, how: int) -> Drawn:
    scaled: Drawn = cv2.resize(picture, (side, side), interpolation=how)
    return scaled


def _noisy(picture: Drawn) -> Drawn:
    return picture + np.random.default_rng(0).normal(0, 3, picture.shape).astype(np.float32)


CHANGES: tuple[Callable[[Drawn], Drawn], ...] = (
    lambda picture: picture,
    lambda picture: picture + 20,
    lambda picture: picture * 0.8 + 20,
    lambda picture: _scaled(picture, SIDES[-1] // 2, cv2.INTER_AREA),
    _noisy,
)
