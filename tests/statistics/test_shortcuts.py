from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.statistics.shortcuts import ALL, measure

PATIENTS = 60
GROUPS = pd.Series([f"{k // 2:064x}" for k in range(2 * PATIENTS)])


def fields(**columns):
    return pd.DataFrame(columns, index=range(2 * PATIENTS))


def labels(seed=0):
    """One label per patient, two images each."""
    drawn = np.random.default_rng(seed).integers(0, 2, PATIENTS).repeat(2)
    return drawn[:, None].astype(np.float32)


def test_the_field_that_gives_the_label_away_is_named_first():
    targets = labels()
    scanner = np.where(targets[:, 0] > 0, "one", "other")
    scanner[::7] = "one"
    site = np.random.default_rng(1).choice(["north", "south"], 2 * PATIENTS)
    found = measure(fields(site=site, device=scanner, bits=12), targets, GROUPS)
    assert list(found["field"]) == [ALL, "device", "site"]
    assert found["auroc"][0] > 0.85
    assert found["auroc"][0] > found["chance"][0]
    assert found["auroc"][2] < found["chance"][0]


def test_two_fields_tell_together_what_neither_tells_alone():
    """The label is whether two switches differ."""
    random = np.random.default_rng(3)
    one, other = (random.integers(0, 2, PATIENTS).repeat(2) for _ in range(2))
    targets = (one != other)[:, None].astype(np.float32)
    found = measure(fields(height=256.0 * (1 + one), bits=12.0 + other), targets, GROUPS)
    assert found["auroc"][0] > 0.9
    assert (found["auroc"][1:] < 0.75).all()


def test_what_a_patient_alone_has_is_no_shortcut():
    """A device a patient: it would tell the label of the patient's other image."""
    device = pd.Series(range(PATIENTS)).repeat(2).astype(str).to_numpy()
    found = [measure(fields(device=device), labels(seed), GROUPS)["auroc"][0] for seed in range(4)]
    assert np.mean(found) < 0.6


def test_chance_is_seldom_taken_for_a_shortcut():
    random = np.random.default_rng(5)
    cried = 0
    for seed in range(8):
        site = random.choice(["a", "b", "c"], PATIENTS).repeat(2)
        found = measure(fields(site=site, bits=random.integers(8, 16, 120)), labels(seed), GROUPS)
        cried += found["auroc"][0] > found["chance"][0]
    assert cried <= 2


def test_several_labels_are_averaged_and_missing_values_count():
    targets = np.hstack([labels(0), labels(1)])
    device = np.where(targets[:, 0] > 0, "one", None)
    found = measure(fields(device=device), targets, GROUPS)
    assert 0.7 < found["auroc"][0] < 0.85


def test_nothing_is_said_where_nothing_varies_or_patients_are_too_few():
    assert len(measure(fields(bits=12, modality=None), labels(), GROUPS)) == 0
    few = pd.DataFrame({"device": ["a", "b", "b"]})
    targets = np.array([[0], [1], [1]], np.float32)
    assert len(measure(few, targets, pd.Series(["x", "y", "y"]))) == 0


def test_of_many_images_whole_patients_are_looked_at(monkeypatch):
    monkeypatch.setattr("tasks.statistics.shortcuts.MOST_IMAGES", 60)
    targets = labels()
    scanner = np.where(targets[:, 0] > 0, "one", "other")
    assert measure(fields(device=scanner), targets, GROUPS)["auroc"][0] > 0.99
