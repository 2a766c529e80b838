"""What a result was computed with: interpreter, processor, versions of libraries."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.exceptions import MlflowException

from tasks.common import digests, documents

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILE = "environment.json"  # in each run
PROCESSOR = Path("/proc/cpuinfo")


def describe() -> dict[str, Any]:
    """As it is recorded."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _of_processor("model name") or platform.processor(),
        "instructions": digests.of_json(sorted(_of_processor("flags").split()))[:16],
        "packages": {d.name.lower(): d.version for d in metadata.distributions() if d.name},
    }


def recorded(client: MlflowClient, run_id: str) -> dict[str, Any]:
    """What a run says of it; empty if nothing."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = client.download_artifacts(run_id, FILE, folder)
            return documents.read_memo(Path(file))
    except (MlflowException, OSError):
        return {}


def _of_processor(field: str) -> str:
    """A field of the first processor, empty where the system does not tell it."""
    try:
        lines = PROCESSOR.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def differences(recorded: Mapping[str, Any], today: Mapping[str, Any]) -> Iterator[str]:
    """Lines about what is not as it was."""
    for name in ("python", "system", "cpu", "instructions"):
        if recorded.get(name) != today[name]:
            yield f"{name}: {recorded.get(name, 'not recorded')} then, {today[name]} now"
    before, now = recorded.get("packages", {}), today["packages"]
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield f"{name}: {before.get(name, 'none')} then, {now.get(name, 'none')} now"
