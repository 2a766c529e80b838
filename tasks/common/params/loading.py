"""Read `params.yaml` and hold it to its types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tasks.common import paths
from tasks.common.errors import ParameterError

T = TypeVar("T", bound=BaseModel)
ALLOWED = "Input should be "  # how Pydantic begins


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
        problems = "\n".join(f"  {problem}" for problem in _described(error, values))
        raise ParameterError(f"{path} has values that are not allowed:\n{problems}") from None


def _described(error: ValidationError, values: Any) -> Iterator[str]:
    """A line per key: one that allows several types has a problem with each of them."""
    found: dict[str, list[Any]] = {}
    for problem in error.errors():
        found.setdefault(_key(problem["loc"], values), []).append(problem)
    for key, problems in found.items():
        allowed = [problem["msg"].removeprefix(ALLOWED) for problem in problems[1:]]
        message = " or ".join([problems[0]["msg"], *allowed])
        yield _describe(key, problems[0] | {"msg": message})


def _key(places: Sequence[int | str], values: Any) -> str:
    """Where in `values` a problem is. A name below what holds none is that of an allowed type."""
    parts: list[str] = []
    for part in places:
        if isinstance(values, Mapping):
            parts, values = [*parts, str(part)], values.get(part)
        elif isinstance(part, int):
            parts, values = [*parts, str(part)], values[part]
    return ".".join(parts) or "(file)"


def _describe(key: str, problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or fix its spelling"
    if problem["type"] == "missing":
        return f"{key}: required, but missing"
    if isinstance(problem["input"], Mapping):  # a whole section: where the source is, too
        return f"{key}: {problem['msg']}"
    return f"{key}: {problem['msg']}; received {problem['input']!r}"
