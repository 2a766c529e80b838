"""The thresholds past which a score is a prediction; `thresholds` fits them on val."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.statistics import Array


@dataclass(frozen=True)
class OperatingPoint:
    """`thresholds` by class, or None where the class with the highest score wins."""

    rule: str
    target: float
    thresholds: dict[str, float] | None

    def to_json(self) -> dict[str, Any]:
        """As stored with the model; `OperatingPoint(**value)` reads it."""
        return {"rule": self.rule, "target": self.target, "thresholds": self.thresholds}

    def predict(self, scores: Array) -> Array:
        """Predictions `(N, K)` in {0, 1} of scores `(N, K)`; one on the threshold is positive."""
        if self.thresholds is None:
            highest: Array = np.eye(scores.shape[1])[scores.argmax(axis=1)]
            return highest
        past: Array = np.asarray(scores >= list(self.thresholds.values()), float)
        return past
