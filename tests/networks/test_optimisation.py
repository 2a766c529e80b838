"""The options of a fit, each by the values that it is defined by, and all of them after a kill."""

import keras
import numpy as np
import pytest
from worlds.feeds import CUT, make_data, start, train
from worlds.fit import make_examples, make_model, make_plan, same

from tasks.networks.feeds import Stored
from tasks.networks.fit import compiled, fit
from tasks.networks.optimisation import adam, averaged, follow, plateau

ALL = {"schedule": "cosine", "weight_decay": 0.1, "label_smoothing": 0.1, "average": 0.9}


def optimiser(steps=100, **changes):
    return adam(make_model(), make_plan(**changes).phase, steps)


def step(model, optimizer, gradients):
    optimizer.apply(
        [keras.ops.convert_to_tensor(value) for value in gradients], model.trainable_variables
    )


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


def test_decay_takes_its_share_of_weights_and_not_of_biases():
    """With no gradient Adam itself moves nothing."""
    model = make_model()
    kernel, bias = model.trainable_variables
    bias.assign(np.ones(bias.shape))
    before = np.asarray(kernel)
    optimizer = adam(model, make_plan(weight_decay=0.1, learning_rate=0.5).phase, steps=10)
    step(model, optimizer, [np.zeros(kernel.shape), np.zeros(bias.shape)])
    assert np.asarray(kernel) == pytest.approx(before * (1 - 0.5 * 0.1))
    assert (np.asarray(bias) == 1).all()


def test_val_is_measured_with_the_averaged_weights():
    model, plan = make_model(), make_plan(average=0.75)
    compiled(model, Stored(lambda _: make_examples()), plan)
    kernel, bias = model.trainable_variables
    seen = []
    for value in (1.0, 1.0, -1.0):
        step(model, model.optimizer, [np.full(kernel.shape, value), np.zeros(bias.shape)])
        seen.append(np.asarray(kernel))
    expected = 0.75 * (0.75 * seen[0] + 0.25 * seen[1]) + 0.25 * seen[2]
    with averaged(model):
        assert np.asarray(kernel) == pytest.approx(expected, abs=1e-6)
    assert (np.asarray(kernel) == seen[2]).all()


@pytest.mark.parametrize("changes", [ALL, {"schedule": "plateau", "patience": 2}])
def test_a_killed_fit_ends_as_an_undisturbed_one(changes):
    def run(model, on_epoch=lambda *_: None):
        given = Stored(lambda _: make_examples(views=2)), make_examples(seed=1)
        fitted = fit(model, *given, make_plan(epochs=8, **changes), on_epoch)
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
    stored, _, expected = train(start(), CUT, make_data(count=1, refresh=1), **ALL)
    on_the_fly, _, found = train(start(), CUT, make_data(count=0), **ALL)
    assert type(stored) is not type(on_the_fly)
    for one, other in zip(expected, found, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
