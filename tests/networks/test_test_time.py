import numpy as np
from keras import ops

from tasks.common import paths
from tasks.common.params.augment import Augment
from tasks.networks import augmentation, test_time
from tasks.networks.scoring import score

AUGMENT = Augment(preset="tutorial", views=1, refresh=None, seed=13, test_views=3)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1)).astype(np.uint8)


def logits(scores):
    return np.log(scores / (1 - scores))


def test_a_score_is_that_of_the_mean_of_the_logits(make):
    model, affine = make(weights="imagenet"), test_time.drawn(AUGMENT, (32, 32))
    pixels, same = ops.convert_to_tensor(IMAGES.astype(np.float32)), np.ones((5, 1), np.float32)
    seen = [pixels]
    for view in affine:
        seen.append(augmentation.apply(pixels, np.repeat(view[None], 5, axis=0), same))
    each = [logits(np.asarray(model(images)).astype(float)) for images in seen]
    found = logits(score(test_time.averaged(model, affine), IMAGES).astype(float))
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-4)
    assert np.abs(each[0] - found).max() > 1e-3


def test_it_follows_the_network(make):
    model = make(kind="multiclass")
    judges = test_time.averaged(model, test_time.drawn(AUGMENT, (32, 32)))
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([np.zeros_like(kernel), bias + np.eye(3)[2]])
    expected = np.exp([0, 0, 1]) / np.exp([0, 0, 1]).sum()
    np.testing.assert_allclose(score(judges, IMAGES), np.tile(expected, (5, 1)), atol=1e-6)


def test_the_views_are_the_same_for_every_image_and_follow_from_seed_and_preset(workspace):
    affine = test_time.drawn(AUGMENT, (32, 48))
    assert affine.shape == (3, 8)
    assert len({view.tobytes() for view in affine}) == 3
    fewer = AUGMENT.model_copy(update={"test_views": 2})
    np.testing.assert_array_equal(test_time.drawn(fewer, (32, 48)), affine[:2])
    other = AUGMENT.model_copy(update={"seed": 14})
    assert not np.isclose(test_time.drawn(other, (32, 48)), affine)[:, :3].all(axis=1).any()
    paths.TEST_VIEWS.parent.mkdir(parents=True, exist_ok=True)
    test_time.write(affine)
    np.testing.assert_array_equal(test_time.read(), affine)
    assert test_time.read().dtype == np.float32


def test_no_more_images_pass_at_once_for_all_that_looks(make, monkeypatch):
    model, affine = make(), test_time.drawn(AUGMENT, (32, 32))
    sizes = []

    def outputs(forward, count, size, take, what):
        sizes.append(size)
        return iter(())

    monkeypatch.setattr("tasks.networks.scoring.outputs", outputs)
    for judges in (model, test_time.averaged(model, affine)):
        score(judges, IMAGES)
    assert sizes == [32, 8]


def test_the_preset_none_has_no_views():
    none = AUGMENT.model_copy(update={"preset": "none"})
    assert test_time.drawn(none, (32, 32)).shape == (0, 8)


def test_without_views_the_network_is_the_judge(make, workspace):
    model = make()
    none = test_time.drawn(AUGMENT.model_copy(update={"test_views": 0}), (32, 32))
    paths.TEST_VIEWS.parent.mkdir(parents=True, exist_ok=True)
    test_time.write(none)
    assert test_time.averaged(model, test_time.read()) is model
