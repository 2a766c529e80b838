"""DVC versions of `data/raw`, or of another place. DVC runs as a quiet subprocess; its own messages
explain failures.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tasks.common import documents
from tasks.common.errors import DataError
from tasks.common.paths import OWN, Versioned


def restore(remote: bool, place: Versioned = OWN) -> None:
    """Bring `data/raw` to the version that `data/raw.dvc` names, fetching it if there is a remote.

    What a killed pull left behind is overwritten: the same source gives it again.

    Raises:
        DataError: DVC is not set up here, or no longer has the version.
    """
    if not Path(".dvc").is_dir():
        raise DataError(
            "no .dvc folder here, so nothing can be versioned: run from the project's root, or "
            "`git init && dvc init` in a new project"
        )
    if not place.version.exists() or _difference(place) is None:
        return
    if remote:
        _dvc("fetch", str(place.version))
    if _difference(place) == "not in cache":  # a checkout would empty the folder
        raise DataError(
            f"the version that {place.version} names is neither in the cache nor at the default "
            "remote: set the remote that has it (`dvc remote add --default <name> <url>`), or take "
            f"the folder as it is, `dvc add {place.folder}`. Versions of before a withdrawal are "
            f"gone for good: then bring back the {place.version} of after it"
        )
    _dvc("checkout", "--force", str(place.version))


def save(place: Versioned = OWN) -> None:
    """Make the content of `data/raw` the version that `data/raw.dvc` names.

    Raises:
        DataError: DVC's cache does not hold all of it; `data/raw.dvc` is what it was.
    """
    before = place.version.read_text() if place.version.exists() else None
    said = _run("add", str(place.folder))
    if said.returncode == 0 and _difference(place) is None:  # on a full disk it ends with 0 as well
        return
    if before is None:
        place.version.unlink(missing_ok=True)
    else:
        documents.write_text(place.version, before)
    raise DataError(
        f"required: the new version of {place.folder} in DVC's cache; received: only a part of it "
        f"({_last_line(said.stderr)}). Free space or fix the rights of the cache (`dvc cache dir` "
        "says where it is), then run the same again"
    )


def _last_line(text: str) -> str:
    """What DVC says last, without the names of files, which it says first."""
    lines = text.strip().splitlines() or ["DVC does not say why"]
    return re.sub(r": '.*", "", lines[-1].removeprefix("ERROR: "))


def push(place: Versioned = OWN) -> None:
    """Send the version to the default remote."""
    _dvc("push", str(place.version))


def has_remote() -> bool:
    """Whether a default remote is set (`dvc remote add --default <name> <url>`).

    Raises:
        DataError: DVC's settings cannot be read.
    """
    from dvc.config import Config, ConfigError  # sooner than starting DVC for it

    try:
        return bool(Config(dvc_dir=".dvc")["core"].get("remote"))
    except ConfigError as error:
        raise DataError(
            f"required: settings in .dvc/config that DVC can read; received: {error}"
        ) from None


def _difference(place: Versioned = OWN) -> str | None:
    """How `data/raw` differs from its version in DVC's words; None if it does not."""
    status = json.loads(_dvc("status", "--json", str(place.version)))
    changes = [change.get("changed outs", {}) for change in status.get(str(place.version), [])]
    return next((str(change[str(place.folder)]) for change in changes if change), None)


def _dvc(*arguments: str) -> str:
    result = _run(*arguments)
    if result.returncode != 0:
        raise DataError(f"`dvc {' '.join(arguments)}` failed:\n{result.stderr.strip()}")
    return result.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvc", *arguments]
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
