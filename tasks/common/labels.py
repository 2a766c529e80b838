"""Class names to targets and back."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.common import paths
from tasks.common.errors import DataError

SEPARATOR = "|"
UNFIT = ("Cc", "Cs", "Zl", "Zp")  # categories of characters that no class name may hold


def scores_per_image(kind: str, classes: Sequence[str]) -> int:
    """Number of scores per image: 1 in a binary task, else one per class."""
    return 1 if kind == "binary" else len(classes)


def scored(kind: str, classes: Sequence[str]) -> list[str]:
    """The class behind each score: the positive one in a binary task, else every one."""
    return [classes[1]] if kind == "binary" else list(classes)


def check(labels: Iterable[str], kind: str, classes: Sequence[str]) -> None:
    """Hold labels to the task. Unknown ones are counted: they may be names of people.

    Raises:
        DataError: a label names a class that the task does not have.
    """
    known = set(classes)
    wrong = [others for label in labels if (others := set(names(label, kind)) - known)]
    if wrong:
        raise DataError(
            f"required: labels among {list(classes)}, as task.classes has them; received: "
            f"{len(wrong):,} images with {len(set().union(*wrong)):,} other labels; a pull lists "
            f"those in {paths.StateEntry.PULL_DETAILS.path}. Fix them at the source, or set "
            "pull.path to the folder of the class folders, or add them to task.classes at its end, "
            "since the order is part of a model; where nothing was trained yet, "
            "`--set task.classes=auto` makes the pull write down those it finds"
        )


def names(label: str, kind: str) -> list[str]:
    """The class names in one label; an empty multi-label has none."""
    if kind != "multilabel":
        return [label]
    return [name for name in label.split(SEPARATOR) if name]


def spelled(label: str, kind: str, classes: Sequence[str]) -> str:
    """A source's label as it is kept: several names in the order of the alphabet.

    A name is the class that it equals, or else the one that differs only in blanks at its ends or
    in how its letters are composed (Unicode's NFC and NFD), or else its NFC without such blanks.
    """
    own = {_canonical(name): name for name in classes} | {name: name for name in classes}
    plain = {name: _canonical(name) for name in names(label, kind)}
    found = {own.get(name) or own.get(to, to) for name, to in plain.items()}
    return SEPARATOR.join(sorted(found - {""}))


def _canonical(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def is_unfit(name: str) -> bool:
    """Whether a name is empty or holds control characters, line separators or undecoded bytes."""
    return not name or any(unicodedata.category(each) in UNFIT for each in name)


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
