"""Scores as answers to questions: one question, whose answers are the classes, or in a multi-label
task one per class, answered by no or yes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.statistics import Array


def answer_names(kind: str, classes: Sequence[str]) -> list[list[str]]:
    """What the answers to each question can be: the classes, or of each class of a multi-label task
    that it is not there and that it is.
    """
    if kind == "multilabel":
        return [[f"not {name}", name] for name in classes]
    return [list(classes)]


def by_answer(kind: str, values: Array) -> Array:
    """Targets or scores `(N, K)` of each answer to each question, `(N, Q, A)`."""
    return values[:, None, :] if kind == "multiclass" else np.stack([1 - values, values], axis=2)
