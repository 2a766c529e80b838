import numpy as np
import pytest

from tasks.networks.views import Views

IDS = tuple(f"{k:064x}" for k in range(20))


def make(count=2, refresh=None, preset="tutorial", seed=13):
    return Views(preset, seed, count, refresh, IDS, (32, 32))


def same(first, second):
    pairs = zip(first, second, strict=True)
    return all(np.array_equal(a.affine, b.affine) for a, b in pairs)


@pytest.mark.parametrize(
    ("views", "generations"),
    [
        (make(), [0, 0, 0, 0, 0]),
        (make(refresh=2), [0, 0, 1, 1, 2]),
        (make(count=0), [0, 1, 2, 3, 4]),
        (make(count=0, refresh=3), [0, 1, 2, 3, 4]),
        (make(preset="none", refresh=2), [0, 0, 0, 0, 0]),
    ],
)
def test_views_are_drawn_anew_when_they_should(views, generations):
    assert [views.generation(epoch) for epoch in range(1, 6)] == generations


def test_each_generation_has_views_of_its_own():
    first, second = make().draw(0), make().draw(1)
    assert len(first) == len(second) == 2
    for one in first:
        assert not any(same([one], [other]) for other in second)
    assert same(make().draw(1), second)


def test_more_views_keep_the_first_ones_in_every_generation():
    assert same(make(count=4).draw(3)[:2], make(count=2).draw(3))


def test_without_change_one_view_is_enough():
    assert make(count=5, preset="none").shown == 1
    assert len(make(count=5, preset="none").draw(0)) == 1


def test_a_new_seed_gives_new_views():
    assert not same(make().draw(0), make(seed=14).draw(0))


def test_settings_give_the_same_views_again():
    views = make(refresh=3)
    assert Views(**views.settings, image_ids=IDS, size=(32, 32)) == views
