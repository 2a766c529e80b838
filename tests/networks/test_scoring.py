import numpy as np

from tasks.networks.scoring import score


def test_a_score_does_not_depend_on_the_company(make):
    model = make(weights="imagenet", kind="multiclass")
    images = np.random.default_rng(0).integers(0, 256, (37, 32, 32, 1)).astype(np.uint8)
    scores = score(model, images)
    assert scores.shape == (37, 3)
    assert scores.dtype == np.float32
    assert np.array_equal(score(model, images[33:35]), scores[33:35])
    assert np.allclose(scores, model(images.astype(np.float32)), atol=1e-5)


def test_no_image_gives_no_score(make):
    assert score(make(), np.zeros((0, 32, 32, 1), np.uint8)).shape == (0, 1)
