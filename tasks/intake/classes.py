"""The classes of a task, written down once from the labels that a pull finds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.common import editing, labels, paths
from tasks.common.errors import ParameterError, SourceError
from tasks.intake.absence import negative_first
from tasks.sources.split_names import side_of

if TYPE_CHECKING:
    from tasks.common.params.task import Task

MOST_CLASSES = 100  # of `auto`; more are rather patients' folders than classes


@dataclass(frozen=True)
class Settled:
    """The classes of a task and what labels come to.

    Attributes:
        classes: in their order.
        spelled: each label that the source has as `labels.spelled` gives it.
        diff: of params.yaml; empty where nothing was written.
    """

    classes: list[str]
    spelled: Mapping[str, str]
    diff: str = ""


def settle(task: Task, found: Iterable[str]) -> Settled:
    """Hold the labels to `task.classes`, or write them there if it is `auto`.

    Of two classes the one that says absence comes first, all others are sorted.

    Raises:
        DataError: a label is unknown.
        SourceError: a label cannot be a name, or there are so many that they can be none, or they
            name the sides of a split.
        ParameterError: the classes found do not fit `task.kind`, or nothing tells which of two is
            the positive one.
    """
    found, known = list(found), _known(task)
    spelled = {label: labels.spelled(label, task.kind, known) for label in set(found)}
    names = _names(task, spelled.values())
    if unfit := sum(map(labels.is_unfit, names - set(known))):
        raise SourceError(
            f"required: labels of printable characters; received: {unfit:,} that are empty or hold "
            f"control characters, listed in {paths.StateEntry.PULL_DETAILS.path}: fix them at the "
            "source"
        )
    if task.classes != "auto":
        labels.check((spelled[label] for label in found), task.kind, known)
        return Settled(known, spelled)
    classes = _in_order(task, sorted(names))
    try:
        diff = editing.set_values(paths.PARAMS, {"task.classes": classes})
    except ParameterError:  # its message quotes the names, which may be patients' folders
        raise ParameterError(
            f"required: classes that fit task.kind {task.kind} (binary 2, multiclass 3 or more); "
            f"received: {len(names)} at the source: set another task.kind, or pull.path to the "
            "folder of the class folders"
        ) from None
    return Settled(classes, spelled, diff)


def refused(task: Task, found: Iterable[str]) -> list[str]:
    """The names, spelled in ASCII, for which `settle` refuses labels: for their owner's eyes."""
    known = _known(task)
    names = _names(task, {labels.spelled(label, task.kind, known) for label in set(found)})
    others = names - set(known)
    return sorted(ascii(name) for name in others if known or labels.is_unfit(name))


def _known(task: Task) -> list[str]:
    return [] if task.classes == "auto" else list(task.classes)


def _names(task: Task, spelled: Iterable[str]) -> set[str]:
    return {name for label in spelled for name in labels.names(label, task.kind)}


def _in_order(task: Task, names: list[str]) -> list[str]:
    if len(names) > MOST_CLASSES:
        raise SourceError(
            f"required: at most {MOST_CLASSES} classes; received: {len(names)}; "
            "is pull.path one level too high?"
        )
    if names and all(map(side_of, names)):
        raise SourceError(
            "required: labels that name classes; received: such alone as name the sides of a "
            "split: give the classes in the column label, and the sides in the column split"
        )
    if task.kind != "binary" or len(names) != 2:
        return names
    ordered = negative_first(*names)
    if ordered is None:
        raise ParameterError(
            "required: the positive class of a binary task, the second of task.classes; no name "
            "of the two that were found tells which it is, and nothing was stored. Choose one:\n"
            + "\n".join(f"  --set {_setting(way)}" for way in (names, names[::-1]))
        )
    return ordered


def _setting(classes: list[str]) -> str:
    """As it is typed into a shell; JSON is YAML that is read back the same, whatever the names."""
    return shlex.quote(f"task.classes={json.dumps(classes, ensure_ascii=False)}")
