from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tasks.statistics.metrics import Sample

MakeSample = Callable[..., Sample]


@pytest.fixture
def make_sample() -> MakeSample:
    """Random scored images of a kind of task, with tied scores."""

    def make(kind: str, count: int = 200, outputs: int = 1, seed: int = 0) -> Sample:
        generator = np.random.default_rng(seed)
        if kind == "multiclass":
            targets = np.eye(outputs)[generator.integers(outputs, size=count)]
        else:
            targets = (generator.random((count, outputs)) < 0.4).astype(float)
        raw = np.round(np.clip(generator.normal(0.4 + 0.2 * targets, 0.2), 0.02, 0.98), 2)
        scores = raw / raw.sum(axis=1, keepdims=True) if kind == "multiclass" else raw
        if kind == "multiclass":
            predictions = np.eye(outputs)[scores.argmax(axis=1)]
        else:
            predictions = (scores >= 0.5).astype(float)
        return Sample(kind, targets, scores, predictions)

    return make
