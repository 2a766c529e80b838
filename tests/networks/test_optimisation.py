"""Schedules, by the values that they are defined by, and after a kill."""

import pytest
from worlds.feeds import CUT, make_data, start, train
from worlds.fit import make_examples, make_model, make_plan, same

from tasks.networks.feeds import Stored
from tasks.networks.fit import fit
from tasks.networks.optimisation import adam, follow, plateau

ASKED = {"schedule": "cosine", "label_smoothing": 0.1}


def optimiser(steps=100, **changes):
    return adam(make_model(), make_plan(**changes).phase, steps)


def test_the_cosine_warms_up_and_falls_to_nothing():
    rate = optimiser(schedule="cosine", learning_rate=0.02)._learning_rate
    found = [float(rate(at)) for at in (0, 5, 10, 55, 100)]
    assert found == pytest.approx([0.0, 0.01, 0.02, 0.01, 0.0], abs=1e-8)


def test_the_rate_falls_after_each_plateau():
    falling, flat = [4.0, 3.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0]
    assert plateau(0.5, falling, wait=2) == 0.5
    assert plateau(0.5, [*falling, 1.5, 1.2], wait=2) == pytest.approx(0.1)
    assert plateau(0.5, flat, wait=1) == pytest.approx(0.5 * 0.2**3)
    optimizer, phase = optimiser(), make_plan(schedule="plateau", patience=4).phase
    follow(optimizer, phase, [1.0, 2.0, 2.0])
    assert float(optimizer.learning_rate) == pytest.approx(0.02 * 0.2)


@pytest.mark.parametrize(("schedule", "patience"), [("cosine", 8), ("plateau", 2)])
def test_a_killed_fit_ends_as_an_undisturbed_one(schedule, patience):
    def run(model, on_epoch=lambda *_: None):
        given = Stored(lambda _: make_examples(views=2)), make_examples(seed=1)
        plan = make_plan(epochs=8, schedule=schedule, patience=patience, label_smoothing=0.1)
        fitted = fit(model, *given, plan, on_epoch)
        fitted.checkpoint.remove()
        return fitted.epochs

    def dies(number, _):
        if number == 5:
            raise KeyboardInterrupt

    undisturbed, again = make_model(), make_model()
    expected = run(undisturbed)
    assert len(expected) > 5
    with pytest.raises(KeyboardInterrupt):
        run(make_model(), dies)
    assert run(again) == expected
    assert same(undisturbed.get_weights(), again.get_weights())


def test_stored_and_on_the_fly_are_one_result():
    stored, _, expected = train(start(), CUT, make_data(count=1, refresh=1), **ASKED)
    on_the_fly, _, found = train(start(), CUT, make_data(count=0), **ASKED)
    assert type(stored) is not type(on_the_fly)
    for one, other in zip(expected, found, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
