"""What a network that started from a version has kept of it, and what that was worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.common import slices
from tasks.statistics import Array
from tasks.statistics.metrics import Sample, measure
from tasks.statistics.paired_difference import paired_auroc_difference


def compare(
    sample: Sample,
    others: Mapping[str, Array],
    batches: ArrayLike,
    groups: NDArray[Any],
    confidence: float,
) -> dict[str, Any]:
    """AUROC of a network and of others on the same images, in all and by arrival batch.

    Args:
        sample: of the network.
        others: name -> scores `(N, K)` of the same images.
        batches: `(N,)`, as text.
        groups: `(N,)`, the patient of each image.
        confidence: such as 0.95.

    Returns:
        Under `test`, and for each batch under `batches`: images, patients, `auroc`, and for each of
        the others its `auroc`, and as `difference` how far the network is above it.
    """

    def beside(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        return _beside(
            sample.where(chosen),
            {name: scores[chosen] for name, scores in others.items()},
            groups[chosen],
            confidence,
        )

    return {
        "test": beside(np.ones(len(sample), bool)),
        "batches": slices.nested({"batch": batches}, beside)["batch"],
    }


def _beside(
    sample: Sample, others: Mapping[str, Array], groups: NDArray[Any], confidence: float
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "images": len(sample),
        "patients": len(set(groups)),
        "auroc": _auroc(sample, groups, confidence),
    }
    for name, scores in others.items():
        difference = paired_auroc_difference(
            sample.targets, scores, sample.scores, groups, confidence
        )
        other = Sample(sample.kind, sample.targets, scores, sample.predictions)
        found[name] = {
            "auroc": _auroc(other, groups, confidence),
            "difference": difference.to_json(),
        }
    return found


def _auroc(sample: Sample, groups: NDArray[Any], confidence: float) -> dict[str, float | None]:
    return measure(sample, groups, confidence).mean["auroc"].to_json()
