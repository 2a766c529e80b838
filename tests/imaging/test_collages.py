"""Places of many frames in few pictures."""

from __future__ import annotations

import numpy as np

from tasks.imaging import collages as module
from tasks.imaging.collages import collages
from tasks.imaging.strokes import Box

BASE = np.zeros((20, 30), np.uint8)


def frame(number: int) -> np.ndarray:
    return np.full_like(BASE, number)


def made(*views: tuple[int, list[Box]]) -> list[np.ndarray]:
    return list(collages(BASE, ((frame(number), boxes) for number, boxes in views)))


def test_places_of_several_frames_share_a_picture():
    one, two = Box(0, 0, 10, 5), Box(12, 3, 6, 6)
    (picture,) = made((1, [one]), (2, []), (3, [two]))
    assert np.unique(one.of(picture)).tolist() == [1]
    assert np.unique(two.of(picture)).tolist() == [3]
    assert np.count_nonzero(picture) == 50 + 36
    assert not BASE.any()


def test_none_lies_over_one_of_another_frame():
    one, two = Box(0, 0, 10, 5), Box(9, 4, 6, 6)
    first, second = made((1, [one]), (2, [two]))
    assert np.unique(one.of(first)).tolist() == [1]
    assert np.unique(two.of(second)).tolist() == [2]


def test_places_of_one_frame_may_overlap():
    (picture,) = made((1, [Box(0, 0, 10, 5), Box(9, 4, 6, 6)]))
    assert np.count_nonzero(picture) == 50 + 36 - 1


def test_nothing_new_is_no_picture():
    assert made((1, []), (2, [])) == []


def test_few_pictures_are_held(monkeypatch):
    monkeypatch.setattr(module, "OPEN", 2)
    same = [Box(0, 0, 4, 4)]
    taken = []

    def views():
        for number in range(1, 6):
            taken.append(number)
            yield frame(number), same

    pictures = collages(BASE, views())
    assert [next(pictures).max(), taken] == [1, [1, 2, 3]]
    assert [picture.max() for picture in pictures] == [2, 3, 4, 5]


def test_colours():
    base = np.zeros((20, 30, 3), np.uint8)
    (picture,) = collages(base, [(np.full_like(base, 9), [Box(1, 1, 2, 2)])])
    assert (picture.sum(), picture.shape) == (9 * 4 * 3, base.shape)
