from __future__ import annotations

import cv2
import numpy as np
import pytest

from tasks.imaging import perturbation
from tasks.imaging.perturbation import CHANGES, Perturbed, contrast, jpeg, noise


def picture(channels: int = 1, seed: int = 0) -> np.ndarray:
    """Smooth, with an edge."""
    generator = np.random.default_rng(seed)
    image = cv2.GaussianBlur(generator.uniform(60, 180, (64, 64, channels)), (0, 0), 4)
    image = image.reshape(64, 64, channels)
    image[:, 32:] += 40
    return image.astype(np.uint8)


def test_noise_has_the_deviation_that_is_asked_for_and_follows_from_the_image():
    image = picture()
    noisy = noise(image, 10)
    assert (noisy.astype(float) - image).std() == pytest.approx(10, rel=0.05)
    assert np.array_equal(noisy, noise(image, 10))
    other = picture(seed=1)
    apart = (noise(other, 10).astype(float) - other) - (noisy.astype(float) - image)
    assert apart.std() == pytest.approx(10 * np.sqrt(2), rel=0.05)  # no pattern that all share
    assert noise(np.full((8, 8, 1), 255, np.uint8), 20).max() == 255  # it does not wrap around


def test_contrast_shrinks_about_the_mean_of_each_channel():
    image = np.zeros((2, 2, 3), np.uint8)
    image[..., 0] = [[100, 200], [100, 200]]
    image[..., 1] = 50
    less = contrast(image, 0.4)
    assert less[..., 0].tolist() == [[130, 170], [130, 170]]
    assert less[..., 1].tolist() == [[50, 50], [50, 50]]


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_loses_the_more_the_lower_its_quality_and_keeps_the_channels(channels):
    image = picture(channels)
    lost = [np.abs(jpeg(image, q).astype(float) - image).mean() for q in (95, 50, 10)]
    assert lost == sorted(lost)
    assert lost[0] < 2
    if channels == 3:
        red = np.zeros((16, 16, 3), np.uint8)
        red[..., 0] = 200
        assert jpeg(red, 90).mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=4)


def test_there_are_three_strengths_of_each_kind_the_mildest_first():
    kinds = [kind for kind, _ in CHANGES]
    assert {kind: kinds.count(kind) for kind in kinds} == {"noise": 3, "contrast": 3, "jpeg": 3}
    image = picture()
    moved = [np.abs(change(image).astype(float) - image).mean() for change in CHANGES.values()]
    for kind in set(kinds):
        distances = [x for x, (name, _) in zip(moved, CHANGES, strict=True) if name == kind]
        assert distances == sorted(distances)
        assert distances[0] > 0


def test_every_image_comes_after_every_change_in_any_batches():
    images = np.stack([picture(seed=k) for k in range(3)])
    halved = Perturbed(images, [lambda x: x // 2, lambda x: x // 4])
    assert len(halved) == 6
    whole = np.concatenate([images // 2, images // 4])
    assert np.array_equal(halved[:], whole)
    assert np.array_equal(halved[2:4], whole[2:4])
    assert np.array_equal(halved[np.array([5, 0])], whole[[5, 0]])
    noisy = Perturbed(images, [lambda x: perturbation.noise(x, 5)])
    assert np.array_equal(noisy[1:2], noisy[:][1:2])
