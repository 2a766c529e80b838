from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, roc_auc_score

from tasks.statistics import curves
from tasks.statistics.intervals import wilson


def test_the_area_under_the_roc_is_the_auroc(make_sample):
    sample = make_sample("binary")
    fpr, tpr = curves.mean_roc(sample.targets, sample.scores)
    assert auc(fpr, tpr) == pytest.approx(roc_auc_score(sample.targets, sample.scores))


def test_the_mean_roc_of_several_outputs_goes_from_corner_to_corner(make_sample):
    sample = make_sample("multilabel", 2000, outputs=3)
    fpr, tpr = curves.mean_roc(sample.targets, sample.scores)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert auc(fpr, tpr) == pytest.approx(roc_auc_score(sample.targets, sample.scores), abs=0.01)


def test_confusion_counts_labels_by_predictions():
    targets, predictions = np.array([[1.0], [1], [0], [1]]), np.array([[1.0], [0], [0], [1]])
    [(names, counts)] = curves.confusion("binary", ["well", "ill"], targets, predictions)
    assert names == ["well", "ill"]
    assert counts.tolist() == [[1, 0], [1, 2]]


def test_each_label_of_a_multilabel_task_has_its_own_confusion():
    targets, predictions = np.array([[1.0, 0], [1, 1]]), np.array([[1.0, 1], [0, 1]])
    matrices = curves.confusion("multilabel", ["a", "b"], targets, predictions)
    assert [names for names, _ in matrices] == [["not a", "a"], ["not b", "b"]]
    assert [counts.tolist() for _, counts in matrices] == [[[0, 0], [1, 1]], [[0, 1], [0, 1]]]


def test_calibration_bins():
    scores = np.array([[0.05], [0.08], [0.95], [1.0]])
    found = curves.calibration(np.array([[0.0], [1], [1], [1]]), scores, np.arange(4), 0.95)
    assert found.score == pytest.approx([0.065, 0.975])
    assert found.rate.tolist() == [0.5, 1.0]
    assert found.size.tolist() == [2, 2]
    assert np.isnan(found.low).all()  # too few patients to judge


def test_a_bin_has_the_interval_of_its_patients():
    targets = np.tile([[1.0], [0.0], [1.0], [1.0]], (20, 1))
    scores = np.tile([[0.15], [0.15], [0.95], [0.95]], (20, 1))
    alone = curves.calibration(targets, scores, np.arange(80), 0.95)
    assert alone.rate.tolist() == [0.5, 1.0]
    for k, share in enumerate((0.5, 1.0)):
        expected = wilson(share, 40, 0.95)
        assert (share, alone.low[k], alone.high[k]) == pytest.approx(expected, abs=0.002)
    twice = [np.repeat(x, 2, axis=0) for x in (targets, scores)]  # two alike images of each patient
    pairs = curves.calibration(*twice, np.arange(160) // 2, 0.95)
    assert pairs.size.tolist() == [80, 80]
    assert pairs.low == pytest.approx(alone.low, abs=0.002)
