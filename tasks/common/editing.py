"""Edit `params.yaml` in place: comments stay, and what changed is shown."""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
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


def set_values(path: Path, values: Mapping[str, Any]) -> str:
    """Set dotted keys of a parameter file and return the unified diff, empty if nothing changed.

    The file is replaced at once and only if the whole is still valid.

    Raises:
        ParameterError: a key does not exist, or the edited parameters are not allowed.
    """
    before = path.read_text(encoding="utf-8")
    yaml = _yaml()
    tree = yaml.load(before)
    for key, value in values.items():
        _set(tree, key, value)
    parse(Params, tree, path)
    buffer = io.StringIO()
    yaml.dump(tree, buffer)
    after = buffer.getvalue()
    documents.write_text(path, after)
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            f"{path} (before)",
            f"{path} (after)",
            n=0,
        )
    )


def _yaml() -> YAML:
    """A reader and writer that keeps comments, long lines and the word `null`."""
    yaml = YAML()
    yaml.width = 4096
    yaml.representer.add_representer(
        type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def _set(tree: Any, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    node: Any = tree
    for parent in parents:
        node = node.get(parent) if isinstance(node, Mapping) else None
    if not isinstance(node, MutableMapping) or last not in node:
        raise ParameterError(f"{key} is no key of params.yaml, which lists those that can be set")
    if node[last] != value:
        node[last] = _in_one_line(value)


def _in_one_line(value: Any) -> Any:
    """A list keeps to one line, as the lists of the file do."""
    if not isinstance(value, list):
        return value
    sequence = CommentedSeq(value)
    sequence.fa.set_flow_style()
    return sequence
