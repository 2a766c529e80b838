"""Which file serves, by scores that are known."""

import math

import numpy as np
import pytest

from tasks.common.params.compress import Compress
from tasks.compression import candidates
from tasks.compression.candidates import Candidate, Cost, Int8, Side
from tasks.compression.test_time import NO_VIEWS
from tasks.statistics import recalibration
from tasks.statistics.operating_point import OperatingPoint
from tasks.statistics.recalibration import Recalibration

AS_IT_IS = recalibration.identity("binary", 1)
LIMITS = Compress(calibration_images=8)
POINT = OperatingPoint("youden", 0.9, {"nodule": 0.5})
SIDE = Side(None, np.array([[0.0], [0.0], [1.0], [1.0]]), np.array(["a", "b", "c", "d"]))


def scored(*values):
    return Candidate(None, AS_IT_IS, POINT, np.array(values)[:, None])


def test_the_cost_is_auroc_and_other_predictions():
    exact = scored(0.1, 0.4, 0.6, 0.9)
    assert candidates.cost(SIDE, exact, scored(0.1, 0.45, 0.55, 0.8)) == Cost(0.0, 0.0)
    assert candidates.cost(SIDE, exact, scored(0.1, 0.7, 0.6, 0.9)) == Cost(0.25, 0.25)


@pytest.mark.parametrize(
    ("cost", "holds"),
    [
        (Cost(0.005, 0.01), True),
        (Cost(-0.1, 0.0), True),
        (Cost(0.0051, 0.0), False),
        (Cost(0.0, 0.0101), False),
        (Cost(math.nan, 0.0), False),
    ],
)
def test_both_limits_must_hold(cost, holds):
    assert cost.within(LIMITS) is holds


def test_recalibrated_scores_and_thresholds_decide_the_same():
    """Each output with a shift of its own."""
    scores = np.random.default_rng(0).random((200, 2))
    inside = Recalibration(2.5, (1.5, -0.75))
    calibrated = recalibration.apply("multilabel", scores, inside)
    for threshold in (0.0, 0.031, 0.5, 0.97, 1.5):
        point = OperatingPoint("youden", 0.9, {"nodule": threshold, "cyst": 0.4})
        moved = candidates.moved(point, "multilabel", inside)
        assert (moved.predict(calibrated) == point.predict(scores)).all()
    highest = OperatingPoint("argmax", 0.9, None)
    assert candidates.moved(highest, "multiclass", Recalibration(2.5, ())) == highest


class Quantised:
    """Stands in for a network of 40 layers, of which three spoil what they touch."""

    def __init__(self, folder):
        self.source, self.images, self.written = folder / "trunk.onnx", np.zeros(20), []

    def by_damage(self, images):
        return [f"layer{k}" for k in range(40)]

    def write(self, trunk, in_float):
        self.written.append(in_float)


@pytest.mark.parametrize(
    ("spoiling", "tried", "holds"), [(0, 0, True), (3, 4, True), (30, 16, False)]
)
def test_as_few_layers_as_needed_stay_float(tmp_path, monkeypatch, spoiling, tried, holds):
    quantiser = Quantised(tmp_path)

    def candidate(network, trunk, target):
        good = len(quantiser.written[-1]) >= spoiling
        return scored(0.1, 0.4, 0.6, 0.9) if good else scored(0.1, 0.7, 0.6, 0.9)

    monkeypatch.setattr(candidates, "candidate", candidate)
    network = candidates.Network(None, "", "", "binary", POINT, SIDE, NO_VIEWS)
    exact = scored(0.1, 0.4, 0.6, 0.9)
    found = candidates.search(network, quantiser, exact, tmp_path / "int8.onnx", LIMITS)
    assert isinstance(found, Int8)
    assert (len(found.in_float), found.holds) == (tried, holds)
    assert found.in_float == quantiser.by_damage(None)[:tried]
