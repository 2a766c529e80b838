import numpy as np
import pytest
from worlds.explained import a_pixel_counts

from tasks.networks.gradcam import GradCam


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(1, 256, (40, 8, 8, 1)).astype(np.uint8)


def test_heat_is_where_the_evidence_is(images):
    heat = GradCam(a_pixel_counts(1.0))(images, 0, False)
    expected = images[..., 0] / images.max(axis=(1, 2, 3))[:, None, None]
    assert heat.dtype == np.float32
    assert np.allclose(heat, expected, atol=1e-6)


def test_a_saturated_score_still_shows_its_evidence(images):
    assert GradCam(a_pixel_counts(1e4))(images, 0, False).max() == 1


def test_without_evidence_there_is_no_heat(images):
    assert not GradCam(a_pixel_counts(-1.0))(images, 0, False).any()
