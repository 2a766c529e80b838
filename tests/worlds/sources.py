"""Settings of a source for tests: those of params.yaml, changed."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tasks.common.params.pull import Pull

DEFAULTS = Path(__file__).parents[2] / "params.yaml"


def pull_of(source: str, path: Path | None = None, **changes: Any) -> Pull:
    values: dict[str, Any] = YAML(typ="safe").load(DEFAULTS)["pull"]
    for name, value in changes.items():
        values[name] = values[name] | value if isinstance(value, dict) else value
    return Pull(**values | {"source": source, "path": None if path is None else str(path)})
