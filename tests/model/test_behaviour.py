"""What a trained model must do, whatever its loss was: find lesions, for the lesion's sake."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tasks.imaging.resizing import enlarged
from tasks.statistics.localisation import locate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def score(trained, images):
    from tasks.networks import scoring

    return scoring.score(trained.model, images)[:, 0]


def test_it_tells_slices_with_a_nodule_from_those_without(trained):
    assert trained.masks[trained.nodule].any(axis=(1, 2)).all()
    assert not trained.masks[~trained.nodule].any()
    assert roc_auc_score(trained.nodule, trained.scores) >= 0.9


def test_the_file_scores_are_the_pack_scores(trained):
    """Pixels prepared from the files, as in serving, score as those of the pack did."""
    np.testing.assert_allclose(score(trained, trained.images), trained.scores, atol=1e-5)


def test_a_mirrored_chest_keeps_its_answer(trained):
    mirrored = score(trained, trained.images[:, :, ::-1])
    assert (
        roc_auc_score(trained.nodule, mirrored)
        >= roc_auc_score(trained.nodule, trained.scores) - 0.07
    )


@pytest.mark.parametrize("gain", [0.93, 1.07])
def test_a_little_more_or_less_light_keeps_the_answer(trained, gain):
    lit = np.clip(trained.images * gain, 0, 255).round().astype(np.uint8)
    assert np.abs(score(trained, lit) - trained.scores).mean() < 0.1


def without_lesion(image, mask):
    """The lesion covered with the other lung, mirrored about the middle of the body."""
    body = np.flatnonzero(image[..., 0].max(axis=0) > 120)
    other = np.roll(image[:, ::-1], body.min() + body.max() + 1 - image.shape[1], axis=1)
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7))).astype(np.float32)
    cover = cv2.GaussianBlur(wide, (0, 0), 2)[..., None]
    return (image * (1 - cover) + other * cover).round().astype(np.uint8)


def test_without_its_lesion_an_image_scores_lower(trained):
    chosen = np.flatnonzero(trained.nodule & (trained.scores > 0.5))
    assert len(chosen) >= 10
    healed = [without_lesion(trained.images[i], trained.masks[i]) for i in chosen]
    drop = trained.scores[chosen] - score(trained, np.stack(healed))
    assert np.median(drop) > 0.15


def test_heatmaps_point_at_the_lesion(trained):
    """The pointing game on lesions that are found; a point anywhere hits one in twelve times."""
    from tasks.networks.gradcam import GradCam

    maps, masks = of_sure_lesions(trained, GradCam(trained.model))
    hits, by_chance, energy, even = np.array(list(map(located, maps, masks)), float).T
    assert hits.mean() >= 0.8
    assert by_chance.mean() < 0.15
    assert energy.mean() > 2 * even.mean()


def of_sure_lesions(trained, explain):
    """The heatmaps of images with a lesion that is found, and its masks."""
    chosen = np.flatnonzero(trained.nodule & (trained.scores > 0.5))
    assert len(chosen) >= 10
    return explain(trained.images[chosen], 0, False), trained.masks[chosen]


def located(heat, mask):
    return locate(enlarged(heat, *mask.shape), mask)


def test_the_package_keeps_what_the_model_knows(trained):
    """AUROC; the float file's heatmaps, and how often those of the file that serves hit."""
    from tasks.networks.gradcam import GradCam
    from tasks.serving.classifier import Classifier
    from tasks.serving.session import Session

    folder = trained.folder / "models/package/serving"
    served = Classifier(folder).answer(trained.images)["score_nodule"]
    lost = roc_auc_score(trained.nodule, trained.scores) - roc_auc_score(trained.nodule, served)
    assert lost <= 0.005

    def of_float(images, output, absent):
        return Session(folder / "float.onnx").heatmaps(images, output, absent)[1]

    def of_served(images, output, absent):
        heat = Classifier(folder).answer(images, "nodule")["heatmap"]
        return np.array(heat.tolist(), np.float32)

    expected, masks = of_sure_lesions(trained, GradCam(trained.model))
    np.testing.assert_allclose(of_sure_lesions(trained, of_float)[0], expected, atol=1e-3)
    found, _ = of_sure_lesions(trained, of_served)
    rate, wanted = (
        np.mean([located(heat, mask).hit for heat, mask in zip(maps, masks, strict=True)])
        for maps in (found, expected)
    )
    assert rate >= wanted - 0.05
