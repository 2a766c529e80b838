"""Every figure against scikit-learn's, and what is done where an output is too small to judge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from tasks.statistics.metrics import Sample, auroc, compared, measure

ALONE = np.arange(200)


def values(sample: Sample) -> dict[str, float]:
    found = measure(sample, np.arange(len(sample)), 0.95)
    return {name: figure.value for name, figure in (found.whole | found.mean).items()}


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
        "ppv": sk.precision_score(y, p),
        "f1": sk.f1_score(y, p),
    }
    found = values(sample)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_accuracy_at_half_is_beside_the_one_at_the_operating_point(make_sample):
    sample = make_sample("binary")
    moved = Sample("binary", sample.targets, sample.scores, (sample.scores >= 0.3).astype(float))
    found = values(moved)
    y = sample.targets[:, 0]
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, moved.predictions[:, 0]))
    assert found["accuracy_at_half"] == pytest.approx(
        sk.accuracy_score(y, sample.scores[:, 0] >= 0.5)
    )


def test_multiclass_metrics_agree_with_sklearn(make_sample):
    sample = make_sample("multiclass", outputs=4)
    y, s = sample.targets.argmax(axis=1), sample.scores
    predicted = s.argmax(axis=1)
    expected = {
        "loss": sk.log_loss(y, s),
        "accuracy": sk.accuracy_score(y, predicted),
        "brier": sk.brier_score_loss(y, s, scale_by_half=True),
        "auroc": sk.roc_auc_score(y, s, multi_class="ovr", average="macro"),
        "auroc_weighted": sk.roc_auc_score(y, s, multi_class="ovr", average="weighted"),
        "sensitivity": sk.recall_score(y, predicted, average="macro"),
        "f1": sk.f1_score(y, predicted, average="macro"),
    }
    found = values(sample)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert "accuracy_at_half" not in found


def test_multilabel_metrics_agree_with_sklearn(make_sample):
    sample = make_sample("multilabel", outputs=3)
    expected = {
        "loss": np.mean([sk.log_loss(sample.targets[:, k], sample.scores[:, k]) for k in range(3)]),
        "accuracy": 1 - sk.hamming_loss(sample.targets, sample.predictions),
        "auroc": sk.roc_auc_score(sample.targets, sample.scores, average="macro"),
        "auprc": sk.average_precision_score(sample.targets, sample.scores, average="macro"),
    }
    found = values(sample)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_predictive_values_at_a_prevalence_stand_beside_those_of_the_sample(make_sample):
    found = measure(make_sample("binary"), ALONE, 0.95, prevalence=0.01).mean
    assert found["ppv_at_prevalence"].value < 0.1 < found["ppv"].value
    assert found["npv_at_prevalence"].value > 0.99
    assert "ppv_at_prevalence" not in measure(make_sample("binary"), ALONE, 0.95).mean


def small_output(make_sample) -> tuple[Sample, np.ndarray]:
    """Three outputs, of which the last has nine patients with it; its scores are useless."""
    sample = make_sample("multilabel", outputs=3)
    targets, scores = sample.targets.copy(), sample.scores.copy()
    targets[:, 2] = np.arange(200) < 18
    scores[:, 2] = 1 - targets[:, 2] * 0.9
    return Sample("multilabel", targets, scores, sample.predictions), np.arange(200) // 2


def test_what_is_too_small_is_shown_without_interval_and_enters_no_mean(make_sample):
    sample, groups = small_output(make_sample)
    found = measure(sample, groups, 0.95)
    assert found.judged == [True, True, False]
    assert found.outputs[2]["auroc"].value == 0
    assert all(math.isnan(figure.low) for figure in found.outputs[2].values())
    two = [sk.roc_auc_score(sample.targets[:, k], sample.scores[:, k]) for k in (0, 1)]
    assert found.mean["auroc"].value == pytest.approx(np.mean(two))
    assert found.mean["auroc"].low < found.mean["auroc"].value


def test_one_auroc_one_policy(make_sample):
    """The mean over what can be judged; else over what has both outcomes; else none."""
    sample, groups = small_output(make_sample)
    mean = measure(sample, groups, 0.95).mean["auroc"].value
    assert auroc(sample.targets, sample.scores, groups) == pytest.approx(mean)
    few = groups % 7
    targets = np.column_stack([sample.targets[:, :2], np.zeros(200)])
    assert compared(targets, few) == [0, 1]
    part = Sample("multilabel", targets, sample.scores, sample.predictions)
    found = measure(part, few, 0.95).mean["auroc"]
    assert found.value == pytest.approx(auroc(targets, sample.scores, few))
    assert math.isnan(found.low)
    assert math.isnan(auroc(0 * targets, sample.scores, few))


def test_the_figures_of_few_patients_have_no_intervals(make_sample):
    found = measure(make_sample("binary"), np.arange(200) % 12, 0.95)
    assert found.judged == [True]
    found = measure(make_sample("binary"), np.arange(200) % 9, 0.95)
    assert found.judged == [False]
    assert all(math.isnan(figure.low) for figure in (found.whole | found.mean).values())
    assert found.mean["auroc"].value > 0.5


def test_what_is_not_defined_is_nan(make_sample):
    sample = make_sample("binary", 20)
    positives = sample.where(sample.targets[:, 0] > 0)
    found = values(positives)
    assert math.isnan(found["auroc"])
    assert math.isnan(found["specificity"])
    assert math.isnan(found["calibration_slope"])
    assert found["sensitivity"] == positives.predictions.mean()
