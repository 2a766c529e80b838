"""The first look at the frames of a clip: new text is pointed out, and little else."""

from __future__ import annotations

import itertools
import random

import cv2
import numpy as np
import pytest

from benchmarks.burned_in import CONTRASTS, HEIGHTS, NAMES, TYPEFACES, Text, written
from benchmarks.clips import sonogram
from tasks.imaging.strokes import new_places

DARK = np.full((160, 240), 20, np.uint8)


def with_words(frame: np.ndarray, words: str = "SMITH", scale: float = 0.5, level: int = 255):
    picture = frame.copy()
    color = level if frame.ndim == 2 else (level, level // 2, 0)
    thick = max(1, round(2 * scale))
    cv2.putText(picture, words, (30, 90), cv2.FONT_HERSHEY_SIMPLEX, scale, color, thick)
    return picture


def covered(frame: np.ndarray, before: np.ndarray, changed: np.ndarray) -> float:
    """Share of the rectangle around what changed that is pointed out."""
    left, top, width, height = cv2.boundingRect(cv2.compare(changed, 8, cv2.CMP_GT))
    seen = np.zeros(frame.shape[:2], bool)
    for box in new_places(frame, before):
        box.of(seen)[:] = True
    return float(seen[top : top + height, left : left + width].mean())


@pytest.mark.parametrize("scale", [0.35, 0.5, 0.8, 1.2])
@pytest.mark.parametrize(("below", "level"), [(20, 255), (20, 80), (230, 0), (230, 170)])
def test_new_words_of_any_size_light_or_dark(scale, below, level):
    before = np.full_like(DARK, below)
    frame = with_words(before, scale=scale, level=level)
    assert covered(frame, before, cv2.absdiff(frame, before)) > 0.9


def test_new_words_of_a_colour_as_bright_as_what_is_below():
    before = np.full((160, 240, 3), 100, np.uint8)
    frame = with_words(before, level=220)
    frame[np.any(frame != before, axis=2)] = (220, 60, 60)
    assert covered(frame, before, cv2.absdiff(frame, before).max(axis=2)) > 0.9


@pytest.mark.parametrize("words", ["Lee", "12.04", "QUILLFEATHER^ANSELMINA"])
def test_short_and_long_words_beside_others(words):
    before = cv2.putText(DARK.copy(), "R", (10, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    frame = with_words(before, words)
    assert covered(frame, before, cv2.absdiff(frame, before)) > 0.6


def test_what_stays_or_moves_by_a_pixel_is_not_new():
    frame = with_words(DARK)
    assert new_places(frame, frame) == []
    for shift, axis in itertools.product((-1, 1), (0, 1)):
        assert new_places(np.roll(frame, shift, axis), frame) == []
    noise = np.random.default_rng(0).integers(-6, 7, frame.shape)
    assert new_places((frame + noise).clip(0, 255).astype(np.uint8), frame) == []


def test_words_that_go_are_not_new():
    """They were, in the frame before."""
    assert new_places(DARK, with_words(DARK)) == []


def test_lines_and_marks_are_no_words():
    marks = DARK.copy()
    cv2.putText(marks, "R", (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    cv2.ellipse(marks, (120, -60), (150, 150), 0, 75, 105, 255, 2)
    cv2.line(marks, (20, 50), (20, 140), 255, 1)
    cv2.rectangle(marks, (60, 110), (160, 150), 255, 1)
    for depth in range(10, 150, 20):
        cv2.line(marks, (225, depth), (235, depth), 255, 1)
    assert new_places(marks, DARK) == []


def test_a_frame_smaller_than_a_letter():
    for side in (1, 4, 9, 20):
        frame = np.zeros((side, side), np.uint8)
        assert new_places(frame + 255, frame) == []


def test_words_over_living_speckle_are_pointed_out_and_little_else():
    clip = sonogram(16, stays=0.6, seed=3)
    pairs = list(itertools.pairwise(clip))
    area = sum(box.width * box.height for one, two in pairs for box in new_places(two, one))
    assert area / clip[0].size < 0.2  # of one frame, in fifteen
    chance, shares = random.Random(1), {contrast: [] for contrast in CONTRASTS}
    kinds = itertools.product(NAMES, HEIGHTS, CONTRASTS, TYPEFACES)
    for number, kind in enumerate(kinds):
        before, frame = pairs[number % len(pairs)]
        named = written(frame, Text(*kind), chance)
        seen = covered(named, before, cv2.absdiff(named, frame)) > 0.6
        shares[kind[2]].append(seen)
    assert np.mean(shares[255]) == 1.0
    assert np.mean(shares[120]) > 0.95
    assert np.mean(shares[60]) > 0.6
