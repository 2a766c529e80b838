"""The classes of a task, written down once from the labels that a pull finds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tasks.common import editing, labels, paths
from tasks.common.errors import ParameterError, SourceError

if TYPE_CHECKING:
    from tasks.common.params.task import Task

MOST_CLASSES = 100  # of `auto`; more are rather patients' folders than classes


def settle(task: Task, found: Iterable[str]) -> str:
    """Hold the labels to `task.classes`, or write them there if it is `auto`; gives the diff.

    Raises:
        DataError: a label is unknown.
        SourceError: so many classes were found that they can be none.
        ParameterError: the classes found do not fit `task.kind`.
    """
    kind, classes = task.kind, task.classes
    if classes != "auto":
        labels.check(found, kind, classes)
        return ""
    names = sorted({name for label in found for name in labels.names(label, kind)})
    if len(names) > MOST_CLASSES:
        raise SourceError(
            f"required: at most {MOST_CLASSES} classes; received: {len(names)}; "
            "is pull.path one level too high?"
        )
    try:
        return editing.set_values(paths.PARAMS, {"task.classes": names})
    except ParameterError:  # its message quotes the names, which may be patients' folders
        raise ParameterError(
            f"required: classes that fit task.kind {kind} (binary 2, multiclass 3 or more); "
            f"received: {len(names)} at the source: set another task.kind, or pull.path to the "
            "folder of the class folders"
        ) from None
