"""Edit `params.yaml` in place: comments stay, and what changed is shown.

It is written in the form of `dvc exp run -S`, so that neither undoes what the other wrote: a list
has one line per item, null is no word, and long texts are folded. DVC writes every list anew, and
with it goes what stands between its last item and the next key; so in `params.yaml` another key
follows each list without a comment between them.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from tasks.common import documents
from tasks.common.errors import ParameterError
from tasks.common.params.loading import parse
from tasks.common.params.whole import Params


def parse_setting(text: str) -> tuple[str, Any]:
    """`key=value` with the value in YAML, such as `train.epochs=5` or `preprocess.size=[64, 64]`.

    Raises:
        ParameterError: there is no `=`, or the value is not YAML.
    """
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ParameterError(f"--set takes key=value, e.g. train.epochs=5; received {text!r}")
    try:
        return key, YAML(typ="safe").load(value)
    except YAMLError as error:
        raise ParameterError(f"--set {key}: the value is not YAML: {error}") from None


def said(value: float | str | None) -> str:
    """A single value as `params.yaml` has it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return value if isinstance(value, str) else f"{value:g}"


def set_values(path: Path, values: Mapping[str, Any]) -> str:
    """Set dotted keys of a parameter file and return the unified diff, empty if nothing changed.

    The file is replaced at once and only if the whole is still valid.

    Raises:
        ParameterError: a key does not exist, or the edited parameters are not allowed.
    """
    before, after = _edited(path, values)
    if after != before:
        documents.write_text(path, after)
    return _diff(path, before, after)


def diff(path: Path, values: Mapping[str, Any]) -> str:
    """What `set_values` would give, without the edit; errors as there."""
    return _diff(path, *_edited(path, values))


def _edited(path: Path, values: Mapping[str, Any]) -> tuple[str, str]:
    """The text of a parameter file before and after."""
    before = path.read_text(encoding="utf-8")
    yaml = YAML()
    tree, expected = yaml.load(before), _read(before)
    for key, value in values.items():
        _set(tree, key, value)
        _set(expected, key, value)
    parse(Params, expected, path)
    if expected == _read(before):
        return before, before
    buffer = io.StringIO()
    yaml.dump(tree, buffer)
    after = buffer.getvalue()
    if not _holds(after, expected):
        raise ParameterError(
            f"{path} cannot hold the new value of {' or '.join(values)} in YAML such that it is "
            "read as it was given; nothing was changed: write it into the file by hand"
        )
    return before, after


def _diff(path: Path, before: str, after: str) -> str:
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            f"{path} (before)",
            f"{path} (after)",
            n=0,
        )
    )


def _read(text: str) -> Any:
    return YAML(typ="safe").load(text)


def _holds(text: str, expected: Any) -> bool:
    try:
        return bool(_read(text) == expected)
    except YAMLError:
        return False


def _set(tree: Any, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    node: Any = tree
    for parent in parents:
        node = node.get(parent) if isinstance(node, Mapping) else None
    if not isinstance(node, MutableMapping) or not (last in node or _has_default(key)):
        raise ParameterError(f"{key} is no key of params.yaml, which lists those that can be set")
    if last not in node and isinstance(node, CommentedMap):
        # A file of before. Not at the end: what follows the section hangs on its last key.
        node.insert(len(node) - 1, last, value)
    elif node.get(last, ...) != value:
        node[last] = value


def _has_default(key: str) -> bool:
    """Whether a section knows a key that a file need not have."""
    section, _, name = key.partition(".")
    kind = Params.model_fields.get(section)
    field = getattr(kind and kind.annotation, "model_fields", {}).get(name)
    return field is not None and not field.is_required()
