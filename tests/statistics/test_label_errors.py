from __future__ import annotations

import numpy as np
import pytest

from tasks.statistics.label_errors import suspects

IMAGES, FEATURES = 120, 40
PLANTED = [5, 40, 77, 101]


def made(classes, targets, seed=0):
    """Features of which ten tell of each class, noisily; two images per patient."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(IMAGES, FEATURES))
    features[:, : 10 * classes] += 2 * np.repeat(targets, 10, axis=1)
    return features, np.arange(IMAGES) // 2


def test_planted_errors_of_a_binary_task_are_the_likeliest():
    targets = (np.arange(IMAGES)[:, None] // 2 % 2).astype(np.float32)
    features, groups = made(1, targets)
    targets[PLANTED] = 1 - targets[PLANTED]
    found = suspects(features, targets, groups, "binary")
    worst = np.argsort(found.quality)[: len(PLANTED)]
    assert set(worst) == set(PLANTED)
    assert found.likely[PLANTED].all()
    assert found.likely.sum() <= 2 * len(PLANTED)
    assert 0.9 < found.auroc < 1
    assert (found.suggested[PLANTED] == 1 - targets[PLANTED]).all()
    sound = ~found.likely
    assert (found.suggested[sound] == targets[sound]).all()


def test_planted_errors_of_a_multiclass_task_and_what_they_are():
    classes = np.arange(IMAGES) // 2 % 3
    features, groups = made(3, np.eye(3)[classes])
    given = classes.copy()
    given[PLANTED] = (classes[PLANTED] + 1) % 3
    found = suspects(features, np.eye(3, dtype=np.float32)[given], groups, "multiclass")
    assert set(np.argsort(found.quality)[:6]) >= set(PLANTED)
    likely = np.flatnonzero(found.likely)
    assert set(likely) <= set(PLANTED)
    assert len(likely) >= 3
    assert (found.suggested[likely].argmax(axis=1) == classes[likely]).all()


def test_of_several_labels_the_wrong_one_is_named():
    random = np.random.default_rng(1)
    targets = random.integers(0, 2, (IMAGES // 2, 2)).repeat(2, axis=0).astype(np.float32)
    features, groups = made(2, targets)
    targets[PLANTED, 1] = 1 - targets[PLANTED, 1]
    found = suspects(features, targets, groups, "multilabel")
    assert set(np.argsort(found.quality)[:4]) == set(PLANTED)
    likely = [row for row in PLANTED if found.likely[row]]
    assert len(likely) >= 2
    assert (found.suggested[likely, 1] == 1 - targets[likely, 1]).all()
    assert (found.suggested[likely, 0] == targets[likely, 0]).all()


def test_a_patient_says_nothing_about_itself():
    """Twins with one wrong label: within the patient they would vouch for each other."""
    targets = (np.arange(IMAGES)[:, None] // 2 % 2).astype(np.float32)
    features, groups = made(1, targets)
    features[:, 20:] = np.random.default_rng(2).normal(size=(IMAGES // 2, 20)).repeat(2, axis=0)
    targets[40:42] = 1 - targets[40:42]
    found = suspects(features, targets, groups, "binary")
    assert found.likely[40:42].all()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_too_few_patients_are_not_judged(kind):
    targets = np.zeros((6, 1 if kind == "binary" else 3), np.float32)
    targets[3:, 0] = 1
    assert suspects(np.zeros((6, 2)), targets, np.array([0, 0, 0, 1, 1, 1]), kind) is None


def test_a_class_that_no_fold_could_learn_is_not_judged():
    """Of three patients two have positives, and they fall into one fold."""
    targets = np.array([[1], [1], [1], [1], [0], [0], [0], [1], [0], [0], [0], [0]], np.float32)
    features = np.random.default_rng(0).normal(size=(12, 2))
    assert suspects(features, targets, np.arange(12) // 4, "binary") is None


def test_features_that_tell_little_doubt_no_label():
    targets = (np.arange(IMAGES)[:, None] // 2 % 2).astype(np.float32)
    features = np.random.default_rng(0).normal(size=(IMAGES, FEATURES))
    features[:, :2] += 0.5 * targets
    found = suspects(features, targets, np.arange(IMAGES) // 2, "binary")
    assert 0.4 < found.auroc < 0.8
    assert not found.likely.any()
    assert (found.suggested == targets).all()


def test_a_class_of_one_patient_is_left_alone():
    classes = np.arange(IMAGES) // 2 % 2
    classes[:2] = 2
    features, groups = made(3, np.eye(3)[classes])
    found = suspects(features, np.eye(3, dtype=np.float32)[classes], groups, "multiclass")
    assert not found.likely[:2].any()
    assert (found.quality[:2] == 1).all()
    assert not found.suggested[2:, 2].any()


def test_the_same_features_give_the_same_answer():
    targets = (np.arange(IMAGES)[:, None] // 2 % 2).astype(np.float32)
    features, groups = made(1, targets)
    one, other = (suspects(features, targets, groups, "binary") for _ in range(2))
    assert (one.quality == other.quality).all()
