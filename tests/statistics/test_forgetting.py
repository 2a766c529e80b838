import numpy as np
import pytest

from tasks.statistics.forgetting import compare
from tasks.statistics.metrics import Sample
from tasks.statistics.paired_difference import paired_auroc_difference

COUNT = 120  # images of each batch, one of each patient


@pytest.fixture(scope="module")
def found():
    """Of batch 0 the start knows all and the network next to nothing, of batch 1 the reverse."""
    random = np.random.default_rng(0)
    targets = np.tile([0.0, 1.0], COUNT)[:, None]
    old = np.arange(2 * COUNT) < COUNT
    knows = 1 / (1 + np.exp(2 - 4 * targets - random.normal(size=targets.shape)))
    guesses = random.random(targets.shape)
    network, start = np.where(old[:, None], guesses, knows), np.where(old[:, None], knows, guesses)
    sample = Sample("binary", targets, network, (network > 0.5).astype(float))
    batches = np.where(old, "0", "10").astype(object)
    groups = np.arange(2 * COUNT).astype(str)
    given = sample, {"start": start, "fresh": network}, batches, groups, 0.95
    return compare(*given), given


def test_what_was_forgotten_shows_in_its_batch_alone(found):
    batches = found[0]["batches"]
    assert list(batches) == ["0", "10"]
    assert batches["0"]["start"]["difference"]["high"] < 0
    assert batches["10"]["start"]["difference"]["low"] > 0
    assert batches["0"]["auroc"]["value"] < 0.65 < 0.9 < batches["0"]["start"]["auroc"]["value"]


def test_an_equal_network_differs_by_nothing(found):
    difference = found[0]["test"]["fresh"]["difference"]
    assert difference["value"] == 0
    assert difference["low"] <= 0 <= difference["high"]


def test_the_difference_is_the_gates(found):
    compared, (sample, others, batches, groups, confidence) = found
    chosen = batches == "10"
    wanted = paired_auroc_difference(
        sample.targets[chosen],
        others["start"][chosen],
        sample.scores[chosen],
        groups[chosen],
        confidence,
    )
    assert compared["batches"]["10"]["start"]["difference"] == wanted.to_json()
    assert (compared["test"]["images"], compared["batches"]["0"]["patients"]) == (2 * COUNT, COUNT)
