"""Read `params.yaml` and hold it to its types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tasks.common import paths
from tasks.common.errors import ParameterError

T = TypeVar("T", bound=BaseModel)


def load(kind: type[T], path: Path = paths.PARAMS) -> T:
    """Read and check the parameters that `kind` names: `Params`, or a `Part` of it.

    Raises:
        ParameterError: the file is missing or not YAML, or a key is unknown, missing or out of
            range; the message lists every such key with the value received and what is allowed.
    """
    try:
        values = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise ParameterError(f"{path} not found: run from the project's root") from None
    except YAMLError as error:
        raise ParameterError(f"{path} is not valid YAML: {error}") from None
    return parse(kind, values, path)


def parse(kind: type[T], values: Any, path: Path = paths.PARAMS) -> T:
    """Check `values`, the content of a parameter file; errors as in `load`."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {_describe(problem)}" for problem in error.errors())
        raise ParameterError(f"{path} has values that are not allowed:\n{problems}") from None


def _describe(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"] if part != "auto") or "(file)"
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or fix its spelling"
    if problem["type"] == "missing":
        return f"{key}: required, but missing"
    if isinstance(problem["input"], Mapping):  # a whole section: where the source is, too
        return f"{key}: {problem['msg']}"
    return f"{key}: {problem['msg']}; received {problem['input']!r}"
