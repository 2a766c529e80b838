from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score, roc_auc_score

from tasks.statistics import fitted, scores

EVEN = np.array([0.5])


@pytest.fixture
def table():
    """Scores of 60 patients of two images; every third patient is ill."""
    ill = np.repeat(np.arange(60) % 3 == 0, 2)
    given = np.clip(np.random.default_rng(0).normal(0.4 + 0.25 * ill, 0.15), 0.01, 0.99)
    names = np.where(ill, "nodule", "no_nodule")
    return pd.DataFrame({"group": np.repeat(np.arange(60), 2), "label": names, "score_0": given})


def test_what_val_decides_is_applied_to_any_images_unchanged(table, defaults):
    decided = fitted.fit(table, defaults.task, defaults.evaluate, EVEN)
    others = table.assign(score_0=table["score_0"] * 0.9)
    found = fitted.figures(others, decided, defaults.task, defaults.evaluate, None)
    ill = table["label"] == "nodule"
    called = others["score_0"] >= decided.point.thresholds["nodule"]
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(ill, others["score_0"]), abs=1e-6)
    assert found["sensitivity"]["value"] == pytest.approx(recall_score(ill, called), abs=1e-6)
    inside = decided.recalibration
    assert found["calibrated"]["temperature"] == inside.temperature
    assert found["calibrated"]["shift"] == inside.shifts[0]
    assert (found["images"], found["per_patient"]["images"], found["patients"]) == (120, 60, 60)
    assert "slices" not in found


def test_sets_are_those_of_the_calibrated_scores(table, defaults):
    decided = fitted.fit(table, defaults.task, defaults.evaluate, EVEN)
    sample = scores.sample(table, defaults.task, decided.point)
    sure = sample.at(decided.recalibration).scores[:, 0]
    least = decided.sets.least_scores
    ill = (table["label"] == "nodule").to_numpy()
    held = np.where(ill, sure >= least["nodule"], 1 - sure >= least["no_nodule"])
    found = fitted.sets(table, decided, defaults.task, defaults.evaluate, {})
    assert found["coverage"]["value"] == pytest.approx(held.mean(), abs=1e-6)
    assert held.mean() >= 0.9
