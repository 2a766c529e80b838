from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tasks.statistics import robustness
from tasks.statistics.metrics import Sample


def table(patients: int, images: int, ill: int) -> pd.DataFrame:
    """Patients of several images each, the first `ill` of them with a finding in one image."""
    return pd.DataFrame(
        {
            "group": np.repeat([f"p{k}" for k in range(patients)], images),
            "label": [
                "ill" if k < ill and i == 0 else "well"
                for k in range(patients)
                for i in range(images)
            ],
        }
    )


def test_the_sample_has_one_image_of_each_patient_and_label_rare_labels_whole():
    rows = table(patients=400, images=5, ill=30)
    drawn = robustness.draw(rows)
    assert len(drawn) == robustness.IMAGES
    assert (np.diff(drawn) > 0).all()
    chosen = rows.iloc[drawn]
    assert not chosen.duplicated().any()
    assert chosen["label"].value_counts().to_dict() == {"well": 170, "ill": 30}
    assert np.array_equal(drawn, robustness.draw(rows))
    few = table(patients=6, images=3, ill=2)
    assert len(robustness.draw(few)) == 6 + 2


def sample(scores: np.ndarray) -> Sample:
    targets = (np.arange(len(scores)) % 2).astype(float)[:, None]
    given = scores[:, None]
    return Sample("binary", targets, given, (given >= 0.5).astype(float))


def test_auroc_and_the_share_of_changed_decisions_by_hand():
    plain = sample(np.tile([0.2, 0.8], 20))
    dimmed = replace(plain, scores=plain.scores / 2, predictions=plain.predictions * 0)
    swapped = sample(np.r_[[0.8, 0.2] * 5, np.tile([0.2, 0.8], 15)])
    changed = {("contrast", "0.5"): dimmed, ("noise", "5"): swapped}
    found = robustness.summarise(plain, changed, np.arange(40), 0.95)
    assert (found["images"], found["patients"], found["judged"]) == (40, 40, True)
    assert found["auroc"]["value"] == 1
    assert found["contrast"]["0.5"]["auroc"]["value"] == 1
    share = found["contrast"]["0.5"]["changed"]
    assert tuple(share.values()) == pytest.approx((0.5, 0.352, 0.648), abs=0.01)  # Wilson, 20 of 40
    expected = roc_auc_score(plain.targets[:, 0], swapped.scores[:, 0])
    assert found["noise"]["5"]["auroc"]["value"] == pytest.approx(expected, abs=1e-6)
    assert found["noise"]["5"]["changed"]["value"] == 0.25


def test_an_image_counts_once_however_many_answers_change(make_sample):
    plain = make_sample("multilabel", outputs=3)
    flipped = plain.predictions.copy()
    flipped[:50] = 1 - flipped[:50]
    changed = {("noise", "5"): replace(plain, predictions=flipped)}
    found = robustness.summarise(plain, changed, np.arange(200), 0.95)
    assert found["noise"]["5"]["changed"]["value"] == 0.25


def test_a_sample_too_small_to_judge_has_no_intervals():
    plain = sample(np.tile([0.2, 0.8], 6))
    found = robustness.summarise(plain, {("noise", "5"): plain}, np.arange(12), 0.95)
    assert found["judged"] is False
    assert found["auroc"] == {"value": 1.0, "low": None, "high": None}
    assert found["noise"]["5"]["changed"] == {"value": 0.0, "low": None, "high": None}
