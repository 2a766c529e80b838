"""Tests of heatmaps, on heatmaps that are known to be good or bad."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from worlds.explained import upper_left

from tasks.imaging.images import Images
from tasks.networks import perturbation, shuffling
from tasks.networks.explanation_checks import BY_SCORES, Explained, check
from tasks.statistics import explanations

SOUGHT = [(0, False)] * 4


@pytest.fixture
def images():
    drawn = np.random.default_rng(0).integers(0, 40, (4, 32, 32, 1))
    drawn[:, :8, :8] += 200
    return drawn.astype(np.uint8)


def heat_at(row, column):
    heat = np.zeros((4, 8, 8), np.float32)
    heat[:, row : row + 2, column : column + 2] = 1
    return heat


def test_what_the_score_sees_is_lost_by_deletion_and_kept_by_insertion(images):
    found = perturbation.gains(upper_left, images, heat_at(0, 0), SOUGHT, seed=1)
    assert (found.deletion > 0.05).all()
    assert (found.insertion > 0.01).all()


def test_what_it_does_not_see_gains_nothing(images):
    below = np.zeros((4, 8, 8), np.float32)
    below[:, 4:] = 1
    found = perturbation.gains(upper_left, images, below, SOUGHT, seed=1)
    assert (found.deletion < 0).all()
    assert (found.insertion < 0.005).all()


def test_of_an_absent_class_the_confidence_counts_the_other_way(images):
    absent = [(0, True)] * 4
    there = perturbation.gains(upper_left, images, heat_at(0, 0), SOUGHT, seed=1)
    not_there = perturbation.gains(upper_left, images, heat_at(0, 0), absent, seed=1)
    assert np.allclose(there.deletion, -not_there.deletion)


def a_network():
    pixels = keras.Input((8, 8, 1))
    return keras.Model(pixels, keras.layers.Conv2D(3, 3, bias_initializer="ones")(pixels))


def test_weights_are_shuffled_within_their_kernels_and_come_back():
    model = a_network()
    kernel, bias = model.get_weights()
    with shuffling.shuffled(model, seed=1):
        shuffled, same = model.get_weights()
    assert (shuffled != kernel).mean() > 0.8
    assert (np.sort(shuffled.ravel()) == np.sort(kernel.ravel())).all()
    assert (same == bias).all()
    assert (model.get_weights()[0] == kernel).all()


def test_a_class_is_told_by_its_masks_where_enough_patients_have_them(images, monkeypatch):
    """The heatmap is hot in the corner: masks there are hit, masks elsewhere are not."""
    rows = np.arange(24) % 4
    hot = np.zeros((8, 8), np.float32)
    hot[0, 0] = 1
    monkeypatch.setattr("tasks.networks.scoring.score", lambda model, given: upper_left(given))

    def explain(given, output, absent):
        return np.repeat(hot[None], len(given), axis=0)

    def told(mask, masked):
        groups = np.array([f"patient-{k // 2}" for k in range(24)])
        masks = dict.fromkeys(range(masked), mask)
        given = Explained(Images(images, rows), [(0, False)] * 24, groups, masks)
        return check(a_network(), explain, given, 0.95)

    corner, elsewhere = np.zeros((2, 32, 32), bool)
    corner[:4, :4], elsewhere[26:30, 26:30] = True, True
    good, bad, few = told(corner, 24), told(elsewhere, 24), told(elsewhere, 10)
    assert good["beats_chance"] is True
    assert good["by_masks"]["pointing"]["value"] == 1
    assert (good["by_masks"]["images"], good["by_masks"]["patients"]) == (24, 12)
    assert good["by_scores"]["images"] == good["by_scores"]["patients"] == BY_SCORES
    assert bad["beats_chance"] is False
    assert bad["by_masks"]["pointing"]["value"] == 0
    assert few["by_masks"]["pointing"]["low"] is None
    assert few["beats_chance"] is True  # by the scores, which see the corner
    assert good["follows_weights"] is False  # this heatmap is the same whatever the weights
    assert good["by_scores"]["shuffled_correlation"]["value"] == pytest.approx(1)


def test_heatmaps_that_are_all_blank_once_weights_are_shuffled_follow_them():
    none = np.zeros(BY_SCORES)  # the rank correlation with a blank heatmap
    found = explanations.by_scores(none, none, none, np.arange(BY_SCORES), 0.95)
    assert explanations.follows_weights(found) is True
