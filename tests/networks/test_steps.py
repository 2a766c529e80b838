"""Whichever way a network is stepped over an epoch, it ends where Keras's own `fit` ends."""

import pytest
from worlds.fit import make_examples, make_model, make_plan, same

from tasks.networks.feeds import Stored, order
from tasks.networks.fit import compiled as compiled_for
from tasks.networks.steps import Steps

SIZE = 20  # the last batch is short


def compiled(kind):
    return compiled_for(make_model(kind), Stored(lambda _: make_examples(kind)), make_plan(kind))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_epochs_are_those_of_keras(kind):
    """Two in a row, so that metrics start afresh; dropout and Adam included."""
    examples = make_examples(kind, views=3)
    by_keras, resident, fed = (compiled(kind) for _ in range(3))
    on_device, by_batch = Steps(resident), Steps(fed)
    for epoch in (1, 2):
        rows = order(examples.rows, epoch, seed=4)
        batches = examples.batches(rows, SIZE)
        history = by_keras.fit(batches, shuffle=False, verbose=0).history
        expected = {name: values[0] for name, values in history.items()}
        assert on_device.over_rows(examples, rows, SIZE) == expected
        assert by_batch.over_batches(batches) == expected
    assert same(resident.get_weights(), by_keras.get_weights())
    assert same(fed.get_weights(), by_keras.get_weights())
