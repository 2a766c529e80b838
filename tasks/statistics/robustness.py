"""What changes where images are worse: AUROC, and how many are called otherwise.

On a sample of the test images, since every change costs a pass: one image per patient and label,
which tells most per pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import Sample, measure
from tasks.statistics.patients import Patients
from tasks.statistics.proportions import mean

IMAGES, SEED = 200, 29  # of the sample, at most


def draw(table: pd.DataFrame) -> NDArray[np.int64]:
    """The places `(n,)` of the sample in a score table of test: at most `IMAGES`, of each label
    equally many as far as there are.
    """
    shuffled = table.reset_index(drop=True).sample(frac=1, random_state=SEED)
    one = shuffled.drop_duplicates(["group", "label"])
    turn = one.groupby("label").cumcount().to_numpy().argsort(kind="stable")
    return np.sort(one.index.to_numpy()[turn[:IMAGES]])


def summarise(
    plain: Sample,
    changed: Mapping[tuple[str, str], Sample],
    groups: ArrayLike,
    confidence: float,
) -> dict[str, Any]:
    """AUROC of the sample as it is; then by kind of change and strength the AUROC, and the share of
    images of which any answer is another (`changed`).

    Args:
        plain: the sample.
        changed: the same images after each change, by its kind and strength.
        groups: `(n,)`, the patient of each.
        confidence: of the intervals; there are none where the sample is too small to judge.
    """
    patients = Patients(groups)
    figures = measure(plain, groups, confidence)
    judged = any(figures.judged)

    def shown(interval: Interval) -> dict[str, float | None]:
        return (interval if judged else Interval(interval.value, np.nan, np.nan)).to_json()

    def figures_of(sample: Sample) -> dict[str, Any]:
        other = (sample.predictions != plain.predictions).any(axis=1).astype(float)
        return {
            "auroc": shown(measure(sample, groups, confidence).mean["auroc"]),
            "changed": shown(mean(other, patients, confidence).interval),
        }

    counts = {"images": len(plain), "patients": patients.count, "judged": judged}
    by_kind: dict[str, dict[str, Any]] = {}
    for (kind, strength), sample in changed.items():
        by_kind.setdefault(kind, {})[strength] = figures_of(sample)
    return counts | {"auroc": shown(figures.mean["auroc"])} | by_kind
