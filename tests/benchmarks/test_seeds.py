"""What is fitted on val is applied to test as it is."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import seeds


def split(labels):
    return SimpleNamespace(kind="binary", targets=np.array(labels, float)[:, None])


def test_operating_point_and_recalibration_come_from_val_alone():
    noise = np.random.default_rng(0).normal(size=400)
    there = np.arange(400) % 2
    # Scores that part the classes at 0.8 and not at 0.5, as class weights make them.
    scores = 1 / (1 + np.exp(-(noise + 3 * there - 1.5 + np.log(4))))
    fitted = seeds.fit(split(there), scores[:, None], 0.5)
    assert fitted.threshold == pytest.approx(0.8, abs=0.05)
    test = split([0, 0, 1, 1])
    found = seeds.Split.figures(test, np.array([[0.3], [0.7], [0.75], [0.9]]), fitted)
    assert found == {"AUROC": 1.0, "accuracy": 0.75, "at 0.5": 0.75}
    turned = np.array([[0.9], [0.3], [0.2], [0.95]])
    assert seeds.Split.figures(test, turned, fitted)["AUROC"] == 0.5


def test_several_classes_are_told_by_the_likeliest():
    several = SimpleNamespace(kind="multiclass", targets=np.eye(3)[[0, 0, 1, 2]])
    scores = np.array([[0.6, 0.2, 0.2], [0.3, 0.4, 0.3], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
    assert seeds.fit(several, scores, 0.5) is None
    found = seeds.Split.figures(several, scores, None)
    assert found == {"AUROC": 1.0, "accuracy": 0.75}
