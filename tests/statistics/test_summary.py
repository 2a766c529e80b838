from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tasks.statistics.summary import summarise

NONE = {"value": None, "low": None, "high": None}


def test_the_whole_is_strict_json_with_intervals_and_counts(make_sample):
    sample = make_sample("binary")
    summary = summarise(sample, np.arange(200) // 2, ["ill"], {}, 0.95)
    json.dumps(summary, allow_nan=False)
    found = summary["auroc"]
    assert found["low"] < found["value"] < found["high"]
    assert found["value"] == pytest.approx(roc_auc_score(sample.targets, sample.scores), abs=1e-6)
    assert (summary["images"], summary["patients"]) == (200, 100)
    assert summary["positives"] == sample.targets.sum()
    assert summary["patients_with"] + summary["patients_without"] >= 100
    assert summary["judged"] is True
    assert "classes" not in summary


def test_slices_are_measured_on_their_own_images(make_sample):
    sample = make_sample("binary")
    sex = np.array(["F", "M", None, math.nan] * 50, object)
    slices = summarise(sample, np.arange(200), ["ill"], {"sex": sex}, 0.95)["slices"]["sex"]
    women = sample.where(sex == "F")
    assert sorted(slices) == ["F", "M"]
    assert slices["F"]["images"] == 50
    assert slices["F"]["auroc"]["value"] == pytest.approx(
        roc_auc_score(women.targets, women.scores), abs=1e-6
    )


def test_a_slice_with_one_outcome_has_no_auroc(make_sample):
    sample = make_sample("binary")
    site = np.where(sample.targets[:, 0] > 0, "north", "south").astype(object)
    north = summarise(sample, np.arange(200), ["ill"], {"site": site}, 0.95)["slices"]["site"][
        "north"
    ]
    assert north["auroc"] == NONE
    assert north["judged"] is False
    assert north["patients_without"] == 0
    assert north["sensitivity"]["value"] is not None
    assert north["sensitivity"]["low"] is None


def test_several_classes_stand_below_the_same_names(make_sample):
    sample = make_sample("multiclass", outputs=3)
    summary = summarise(sample, np.arange(200), list("abc"), {}, 0.95)
    assert list(summary["classes"]) == ["a", "b", "c"]
    each = [summary["classes"][name]["auroc"]["value"] for name in "abc"]
    assert summary["auroc"]["value"] == pytest.approx(np.mean(each), abs=1e-5)
    assert sum(summary["classes"][name]["positives"] for name in "abc") == 200
    assert all(summary["classes"][name]["judged"] for name in "abc")
