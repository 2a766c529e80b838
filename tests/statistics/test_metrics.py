"""Every metric against scikit-learn's, plain and weighted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from tasks.statistics import weighted
from tasks.statistics.metrics import Sample, measure


def value(sample: Sample, name: str) -> float:
    return float(measure(sample, np.ones((1, len(sample))))[name][0, 0])


def test_binary_metrics_agree_with_sklearn(make_sample):
    sample = make_sample("binary")
    y, s, p = (a[:, 0] for a in (sample.targets, sample.scores, sample.predictions))
    expected = {
        "loss": sk.log_loss(y, s),
        "accuracy": sk.accuracy_score(y, p),
        "brier": sk.brier_score_loss(y, s),
        "auroc": sk.roc_auc_score(y, s),
        "auprc": sk.average_precision_score(y, s),
        "sensitivity": sk.recall_score(y, p),
        "specificity": sk.recall_score(1 - y, 1 - p),
    }
    assert {name: value(sample, name) for name in expected} == pytest.approx(expected)


def test_multiclass_metrics_agree_with_sklearn(make_sample):
    sample = make_sample("multiclass", outputs=4)
    y, s = sample.targets.argmax(axis=1), sample.scores
    predicted = s.argmax(axis=1)
    expected = {
        "loss": sk.log_loss(y, s),
        "accuracy": sk.accuracy_score(y, predicted),
        "brier": sk.brier_score_loss(y, s, scale_by_half=True),
        "auroc": sk.roc_auc_score(y, s, multi_class="ovr", average="macro"),
        "sensitivity": sk.recall_score(y, predicted, average="macro"),
    }
    assert {name: value(sample, name) for name in expected} == pytest.approx(expected)


def test_multilabel_metrics_agree_with_sklearn(make_sample):
    sample = make_sample("multilabel", outputs=3)
    expected = {
        "loss": np.mean([sk.log_loss(sample.targets[:, k], sample.scores[:, k]) for k in range(3)]),
        "accuracy": 1 - sk.hamming_loss(sample.targets, sample.predictions),
        "auroc": sk.roc_auc_score(sample.targets, sample.scores, average="macro"),
        "auprc": sk.average_precision_score(sample.targets, sample.scores, average="macro"),
    }
    assert {name: value(sample, name) for name in expected} == pytest.approx(expected)


def test_each_output_stands_behind_the_mean(make_sample):
    sample = make_sample("multilabel", outputs=3)
    aurocs = measure(sample, np.ones((1, len(sample))))["auroc"][0]
    assert aurocs[0] == pytest.approx(aurocs[1:].mean())
    assert aurocs[2] == pytest.approx(sk.roc_auc_score(sample.targets[:, 1], sample.scores[:, 1]))


@pytest.mark.parametrize(
    ("statistic", "reference"),
    [(weighted.auroc, sk.roc_auc_score), (weighted.auprc, sk.average_precision_score)],
)
def test_a_weight_counts_like_that_many_copies(make_sample, statistic, reference):
    sample = make_sample("binary", 60)
    weights = np.random.default_rng(1).integers(0, 4, size=(5, 60))
    y, s = sample.targets[:, 0], sample.scores[:, 0]
    copies = [reference(np.repeat(y, times), np.repeat(s, times)) for times in weights]
    assert statistic(weights.astype(float), y, s) == pytest.approx(copies)


def test_what_is_not_defined_is_nan(make_sample):
    sample = make_sample("binary", 20)
    positives = sample.where(sample.targets[:, 0] > 0)
    assert np.isnan(value(positives, "auroc"))
    assert np.isnan(value(positives, "specificity"))
    assert value(positives, "sensitivity") == positives.predictions.mean()


def test_calibration_error_of_known_bins():
    # Two bins: scores 0.2 with 1 of 4 positive (off by 0.05), scores 0.9 with 1 of 2 (off by 0.4).
    scores = np.array([0.2, 0.2, 0.2, 0.2, 0.9, 0.9])
    outcomes = np.array([1.0, 0, 0, 0, 1, 0])
    error = weighted.calibration_error(np.ones((1, 6)), outcomes, scores)
    assert error[0] == pytest.approx((4 * 0.05 + 2 * 0.4) / 6)


def test_calibrated_scores_have_next_to_no_calibration_error():
    generator = np.random.default_rng(0)
    scores = generator.random(50_000)
    outcomes = (generator.random(50_000) < scores).astype(float)
    assert weighted.calibration_error(np.ones((1, 50_000)), outcomes, scores)[0] < 0.01
