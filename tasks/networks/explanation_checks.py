"""Tests of heatmaps on images that a network answers right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.images import Images
from tasks.imaging.resizing import enlarged
from tasks.networks import heatmaps, perturbation, scoring, shuffling
from tasks.networks.heatmaps import Explainer, Heatmaps
from tasks.statistics import explanations
from tasks.statistics.localisation import locate

# Images of a class, of a patient each: each costs a dozen scores, twice. With fewer, heatmaps that
# are all blank once the weights are shuffled would not be shown to follow them.
BY_SCORES = 12
SEED = 1  # of random heatmaps and shuffled weights


@dataclass(frozen=True)
class Explained:
    """Images of one class that are answered right.

    Attributes:
        images: `(N, H, W, C)`.
        sought: of each the output that gives the answer, and whether by being low.
        groups: `(N,)`, the patient of each.
        masks: `(H, W)` of findings, of those that have one, by their place.
    """

    images: Images
    sought: Sequence[tuple[int, bool]]
    groups: NDArray[Any]
    masks: Mapping[int, NDArray[np.bool_]]

    def part(self, places: Sequence[int]) -> Explained:
        """Some of them."""
        masks = {new: self.masks[old] for new, old in enumerate(places) if old in self.masks}
        chosen = np.asarray(places, np.int64)
        images = Images(self.images.pack, self.images.rows[chosen])
        return Explained(images, [self.sought[k] for k in places], self.groups[chosen], masks)


def check(
    model: keras.Model, explain: Explainer, given: Explained, confidence: float
) -> dict[str, Any]:
    """What `reports/explanations.json` says of a class."""
    masked = given.part(sorted(given.masks))
    few = given.part(np.unique(given.groups, return_index=True)[1][:BY_SCORES].tolist())
    masks = _by_masks(explain, masked, confidence) if len(masked.images) else None
    scores = _by_scores(model, explain, few, confidence) if len(few.images) else None
    return {
        "beats_chance": explanations.beats_chance(masks, scores),
        "follows_weights": explanations.follows_weights(scores),
        "by_masks": masks,
        "by_scores": scores,
    }


def _by_masks(explain: Explainer, given: Explained, confidence: float) -> dict[str, Any]:
    height, width = given.images.shape[1:3]
    maps = _heatmaps(explain, given)
    found = [locate(enlarged(maps[k], height, width), mask) for k, mask in given.masks.items()]
    return explanations.by_masks(found, given.groups, confidence)


def _by_scores(
    model: keras.Model, explain: Explainer, given: Explained, confidence: float
) -> dict[str, Any]:
    def score(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return scoring.score(model, images)

    maps = _heatmaps(explain, given)
    gains = perturbation.gains(score, given.images[:], maps, given.sought, SEED)
    with shuffling.shuffled(model, SEED):
        likeness = explanations.rank_correlation(maps, _heatmaps(explain, given))
    return explanations.by_scores(*gains, likeness, given.groups, confidence)


def _heatmaps(explain: Explainer, given: Explained) -> Heatmaps:
    return heatmaps.of_each(explain, given.images[:], given.sought)
