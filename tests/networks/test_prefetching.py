import threading

import pytest

from tasks.networks.prefetching import ahead


def test_items_come_in_their_order_with_what_was_made_of_them():
    assert list(ahead(lambda item: item * item, range(5))) == [(k, k * k) for k in range(5)]
    assert list(ahead(str, [])) == []


def test_the_next_one_is_made_while_the_last_one_is_used():
    """And no more than that: each may be large."""
    started = [threading.Event() for _ in range(4)]
    made = ahead(lambda item: started[item].set(), range(4))
    next(made)
    assert started[1].wait(10)
    assert not started[2].is_set()
    next(made)
    assert started[2].wait(10)
    assert not started[3].is_set()


def test_an_error_comes_with_its_item():
    made = ahead(lambda item: 1 / item, [1, 0, 2])
    assert next(made) == (1, 1)
    with pytest.raises(ZeroDivisionError):
        next(made)
