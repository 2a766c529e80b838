"""Other people's implementations say the same, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from crepes import ConformalClassifier
from crepes.extras import hinge
from MLstatkit import Delong_test
from scipy.stats import binomtest, norm

from tasks.statistics import conformal, proportions
from tasks.statistics.areas import area
from tasks.statistics.metrics import Sample
from tasks.statistics.patients import Patients

EXACT = 1e-9


def two_models(seed: int, count: int, decimals: int):
    """Targets, and scores of two models that resemble one another; few decimals make ties."""
    generator = np.random.default_rng(seed)
    targets = (generator.random(count) < 0.3).astype(int)
    shared = generator.normal(targets, 1)
    scores = [np.round(shared + generator.normal(0, 0.7, count), decimals) for _ in range(2)]
    return targets, *scores


@pytest.mark.parametrize(("seed", "count", "decimals"), [(0, 40, 6), (1, 200, 6), (2, 500, 1)])
def test_areas_vary_as_delong_says(seed, count, decimals):
    """Each image is a patient. The factors n / (n - 1) stand per outcome there and once here."""
    targets, first, second = two_models(seed, count, decimals)
    z, p, interval, _, value, other, _ = Delong_test(
        targets, first, second, return_ci=True, return_auc=True, verbose=0
    )
    found = [area(targets.astype(float), s, Patients(np.arange(count))) for s in (first, second)]
    assert [auroc.value for auroc in found] == pytest.approx([value, other], abs=EXACT)
    there = targets.sum()
    factors = np.where(targets > 0, there / (there - 1), (count - there) / (count - there - 1))
    totals = np.stack([auroc.totals for auroc in found])
    covariance = (totals * factors) @ totals.T
    reach = norm.ppf(0.975) * np.sqrt(covariance[0, 0])
    assert (value - reach, min(value + reach, 1)) == pytest.approx(interval, abs=EXACT)
    difference = found[1].value - found[0].value
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert difference / error == pytest.approx(z, abs=EXACT)
    assert 2 * norm.sf(abs(difference / error)) == pytest.approx(p, abs=EXACT)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize(("kind", "outputs"), [("binary", 1), ("multiclass", 4)])
def test_sets_are_those_of_a_conformal_classifier_by_class(make_sample, kind, outputs, coverage):
    """Mondrian categories are the classes, and a score counts by how far it is from 1."""
    val, test = (make_sample(kind, outputs=outputs, seed=seed) for seed in (3, 4))
    classes = [f"class {k}" for k in range(max(outputs, 2))]
    sets = conformal.fit(classes, val, coverage)
    ours = conformal.inside(classes, test, sets)[:, 0]
    given, scored = by_class(val), by_class(test)
    labels = targets_of(val).argmax(axis=1)
    theirs = ConformalClassifier().fit(hinge(given, np.arange(len(classes)), labels), bins=labels)
    for k in range(len(classes)):
        bins = np.full(len(scored), k)
        held = theirs.predict_set(hinge(scored), bins, confidence=coverage, smoothing=False)
        assert np.array_equal(ours[:, k], np.asarray(held)[:, k])
    assert 0 < ours.mean() < 1


def by_class(sample: Sample) -> np.ndarray:
    s = sample.scores
    return s if sample.kind == "multiclass" else np.concatenate([1 - s, s], axis=1)


def targets_of(sample: Sample) -> np.ndarray:
    y = sample.targets
    return y if sample.kind == "multiclass" else np.concatenate([1 - y, y], axis=1)


@pytest.mark.parametrize(("hits", "images"), [(0, 20), (7, 30), (45, 50), (60, 60)])
def test_a_share_of_independent_images_has_wilsons_interval(hits, images):
    values = (np.arange(images) < hits).astype(float)
    found = proportions.mean(values, Patients(np.arange(images)), 0.95).interval
    expected = binomtest(hits, images).proportion_ci(0.95, method="wilson")
    assert found == pytest.approx((hits / images, *expected), abs=EXACT)
