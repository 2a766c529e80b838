"""CAM, occlusion, and what they share; Grad-CAM has a file of its own."""

from __future__ import annotations

import numpy as np
import pytest
from worlds.explained import a_pixel_counts, upper_left

from tasks.networks import heatmaps, methods
from tasks.networks.cam import Cam
from tasks.networks.gradcam import GradCam
from tasks.networks.occlusion import Occlusion


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(1, 256, (40, 8, 8, 1)).astype(np.uint8)


def test_cam_is_grad_cam_where_the_head_is_one_layer_on_pooled_features(images):
    model = a_pixel_counts(1.0)
    assert np.allclose(Cam(model)(images, 0, False), GradCam(model)(images, 0, False), atol=1e-6)
    assert not Cam(model)(images, 0, True).any()


@pytest.mark.parametrize("method", methods.NAMES)
def test_every_way_explains_a_network_and_its_opposite(images, method):
    explain = methods.explainer(a_pixel_counts(-0.01), method)
    against, speaks_for = explain(images[:3], 0, True), explain(images[:3], 0, False)
    assert against.shape == speaks_for.shape
    assert (against.max(axis=(1, 2)) == 1).all()
    if method != "occlusion":  # a patch of the mean grey makes dark places brighter
        assert not speaks_for.any()


def test_occlusion_is_hot_where_a_cover_costs_score():
    images = np.zeros((2, 28, 28, 1), np.uint8)
    images[:, 4:8, 4:8] = 200
    images[:, 20:24, 20:24] = 255  # brighter, and seen by nobody
    heat = Occlusion(upper_left)(images, 0, False)
    assert heat.shape == (2, 14, 14)
    assert heat[:, 2:4, 2:4].min() == 1
    assert not heat[:, 8:, :].any()
    assert not Occlusion(lambda given: upper_left(given) * 0 + 0.5)(images, 0, False).any()


def test_each_image_gets_the_heatmap_that_is_sought_of_it():
    def explain(images, output, absent):
        return images[:, :, :, 0].astype(np.float32) + 100 * output + 1000 * absent

    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    found = heatmaps.of_each(
        explain, images, [(0, True), (1, False), (0, True), (2, True), (1, True)]
    )
    assert found[:, 0, 0].tolist() == [1000, 101, 1002, 1203, 1104]
