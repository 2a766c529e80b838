"""Where a frame may show text that the one before did not: dense rows of new thin upright strokes.

A cheap first look at every frame of a clip, for a reader that takes a hundred times as long. What
stays, or moves by a pixel, is not looked at again, and in speckle, which changes from frame to
frame, seldom so many strokes come up at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.levels import Numbers, Pixels

THIN = 9  # pixels: what is narrower between what is darker, or lighter, is a stroke
AROUND = 31  # pixels per side: a stroke is stronger than those around are on average
LEAST = 20  # of 255: the faintest stroke, and the least that counts as new
NEAR = 3  # pixels per side within which the frame before has nothing as light, or as dark
UPRIGHT = 4  # pixels: the strokes of a capital of 8 are higher
CELL = 4  # pixels per side
ROW = (5, 3)  # cells across and down in which strokes are counted
DENSE = 0.06  # left ends of strokes per pixel; a line or a mark has fewer
STROKES = 24  # pixels of left ends: three letters have more
SHORTEST = 16  # pixels: three letters are longer
SCALES = (1, 2)  # large letters are small ones in a smaller picture
MARGIN = 8  # pixels around a place, which a reader needs


class Box(NamedTuple):
    """A place in a frame, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def of(self, frame: Numbers) -> Numbers:
        """What stands there, as a view."""
        return frame[self.top : self.top + self.height, self.left : self.left + self.width]


def new_places(frame: Pixels, before: Pixels) -> list[Box]:
    """Where `frame`, `(H, W)` or `(H, W, 3)`, may show text that the one before it, of the same
    shape, does not show there.
    """
    around = np.ones((NEAR, NEAR), np.uint8)
    darkest, lightest = cv2.erode(before, around), cv2.dilate(before, around)
    found = np.zeros([-(-side // CELL) for side in frame.shape[:2]], np.uint8)
    for scale in SCALES:
        views = [_smaller(view, scale) for view in (frame, darkest, lightest)]
        if min(views[0].shape[:2]) < THIN:
            break
        for box in _rows(*views):
            left, top, width, height = (scale * side // CELL for side in box)
            found[top : top + height, left : left + width] = 1
    count, _, boxes, _ = cv2.connectedComponentsWithStats(found)
    return [_with_margin(boxes[n, :4] * CELL, frame) for n in range(1, count)]


def _smaller(frame: Pixels, scale: int) -> Pixels:
    if scale == 1:
        return frame
    height, width = (max(side // scale, 1) for side in frame.shape[:2])
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _rows(frame: Pixels, darkest: Pixels, lightest: Pixels) -> Iterator[Box]:
    """Dense rows of light strokes that are lighter than what was there, and of dark ones."""
    light = _outstanding(_lines(_most(frame), cv2.MORPH_TOPHAT))
    dark = _outstanding(_lines(_least(frame), cv2.MORPH_BLACKHAT))
    lighter, darker = _most(cv2.subtract(frame, lightest)), _most(cv2.subtract(darkest, frame))
    for strokes, gain in ((light, lighter), (dark, darker)):
        ends = _cells(_left_ends(strokes & cv2.compare(gain, LEAST, cv2.CMP_GT)))
        dense = cv2.compare(cv2.blur(ends, ROW), int(DENSE * 255), cv2.CMP_GT)
        joined = cv2.dilate(dense, np.ones((1, 3), np.uint8))
        count, numbers, boxes, _ = cv2.connectedComponentsWithStats(joined)
        pixels = np.bincount(numbers.ravel(), ends.ravel() * (CELL**2 / 255), count)
        for n in range(1, count):
            box = Box(*(int(side) * CELL for side in boxes[n, :4]))
            if pixels[n] >= STROKES and box.width >= SHORTEST:
                yield box


def _most(frame: Pixels) -> Pixels:
    """The largest of the colours of each pixel."""
    return frame if frame.ndim == 2 else reduce(cv2.max, cv2.split(frame))


def _least(frame: Pixels) -> Pixels:
    return frame if frame.ndim == 2 else reduce(cv2.min, cv2.split(frame))


def _lines(grey: Pixels, kind: int) -> Pixels:
    """How much lighter, or darker, than beside it what is thin is."""
    return np.asarray(cv2.morphologyEx(grey, kind, np.ones((THIN, THIN), np.uint8)), np.uint8)


def _outstanding(lines: Pixels) -> Pixels:
    """Where lines are stronger than those around, as a mask of 0 and 255."""
    means = cv2.dilate(cv2.blur(lines, (AROUND, AROUND)), np.ones((AROUND, AROUND), np.uint8))
    return np.asarray(cv2.compare(lines, cv2.max(means, LEAST), cv2.CMP_GT), np.uint8)


def _left_ends(mask: Pixels) -> Pixels:
    """The left ends of upright strokes in each line of pixels: two or three per letter, one per
    line that stands alone, none of a level one.
    """
    upright = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((UPRIGHT, 1), np.uint8))
    ends = upright.copy()
    ends[:, 1:] &= ~upright[:, :-1]
    return np.asarray(ends, np.uint8)


def _cells(mask: Pixels) -> Pixels:
    """The share of each cell that is set, of 255."""
    height, width = (-(-side // CELL) for side in mask.shape)
    below, beside = height * CELL - mask.shape[0], width * CELL - mask.shape[1]
    whole = cv2.copyMakeBorder(mask, 0, below, 0, beside, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _with_margin(box: NDArray[np.int32], frame: Pixels) -> Box:
    left, top, width, height = (int(side) for side in box)
    right = min(left + width + MARGIN, frame.shape[1])
    bottom = min(top + height + MARGIN, frame.shape[0])
    left, top = max(left - MARGIN, 0), max(top - MARGIN, 0)
    return Box(left, top, right - left, bottom - top)
