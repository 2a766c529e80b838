"""Class names to targets and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DataError

SEPARATOR = "|"
SPELLED = 10  # unknown names of a message; more are rather patients' folders than classes


def scores_per_image(kind: str, classes: Sequence[str]) -> int:
    """Number of scores an image: 1 in a binary task, else one a class."""
    return 1 if kind == "binary" else len(classes)


def scored(kind: str, classes: Sequence[str]) -> list[str]:
    """The class behind each score: the positive one in a binary task, else every one."""
    return [classes[1]] if kind == "binary" else list(classes)


def check(labels: Iterable[str], kind: str, classes: Sequence[str]) -> None:
    """Hold labels to the task.

    Raises:
        DataError: a label names a class that the task does not have.
    """
    known = set(classes)
    unknown = sorted({name for label in labels for name in names(label, kind)} - known)
    if len(unknown) > SPELLED:
        raise DataError(
            f"required: a label among {list(classes)}, as task.classes has them; received: "
            f"{len(unknown)} unknown labels; is pull.path one level too high?"
        )
    if unknown:
        raise DataError(
            f"required: a label among {list(classes)}; received: {unknown}. "
            "Add it to task.classes in params.yaml (at the end, the order is part of the model), "
            "or mend the label at the source"
        )


def names(label: str, kind: str) -> list[str]:
    """The class names in one label; an empty multi-label has none."""
    if kind != "multilabel":
        return [label]
    return [name for name in label.split(SEPARATOR) if name]


def encode(labels: Iterable[str], kind: str, classes: Sequence[str]) -> NDArray[np.float32]:
    """Targets `(N, K)` in {0, 1}, K = `scores_per_image(kind, classes)`: the positive class in a
    binary task, one-hot in a multiclass one, multi-hot in a multi-label one.

    Raises:
        DataError: as in `check`.
    """
    labels = list(labels)
    check(labels, kind, classes)
    columns = scored(kind, classes)
    position = {name: k for k, name in enumerate(columns)}
    targets = np.zeros((len(labels), len(columns)), np.float32)
    for i, label in enumerate(labels):
        for name in names(label, kind):
            if name in position:
                targets[i, position[name]] = 1.0
    return targets
