"""DVC versions of `data/raw`. DVC runs as a quiet subprocess; its own messages explain failures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tasks.common import documents, paths
from tasks.common.errors import DataError


def restore(remote: bool) -> None:
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
    if not paths.RAW_DVC.exists() or _difference() is None:
        return
    if remote:
        _dvc("fetch", str(paths.RAW_DVC))
    if _difference() == "not in cache":  # a checkout would empty the folder
        raise DataError(
            f"the version that {paths.RAW_DVC} names is neither in the cache nor at the default "
            "remote: set the remote that has it (`dvc remote add --default <name> <url>`), or take "
            f"the folder as it is, `dvc add {paths.RAW}`. Versions of before a withdrawal are gone "
            f"for good: then bring back the {paths.RAW_DVC} of after it"
        )
    _dvc("checkout", "--force", str(paths.RAW_DVC))


def save() -> None:
    """Make the content of `data/raw` the version that `data/raw.dvc` names.

    Raises:
        DataError: DVC's cache does not hold all of it; `data/raw.dvc` is what it was.
    """
    before = paths.RAW_DVC.read_text() if paths.RAW_DVC.exists() else None
    said = _run("add", str(paths.RAW))
    if said.returncode == 0 and _difference() is None:  # on a full disk it ends with 0 as well
        return
    if before is None:
        paths.RAW_DVC.unlink(missing_ok=True)
    else:
        documents.write_text(paths.RAW_DVC, before)
    raise DataError(
        f"required: the new version of {paths.RAW} in DVC's cache; received: only a part of it "
        f"({_last_line(said.stderr)}). Free space or fix the rights of the cache (`dvc cache dir` "
        "says where it is), then run the same again"
    )


def _last_line(text: str) -> str:
    """What DVC says last, without the names of files, which it says first."""
    lines = text.strip().splitlines() or ["DVC does not say why"]
    return re.sub(r": '.*", "", lines[-1].removeprefix("ERROR: "))


def push() -> None:
    """Send the version to the default remote."""
    _dvc("push", str(paths.RAW_DVC))


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


def _difference() -> str | None:
    """How `data/raw` differs from its version in DVC's words; None if it does not."""
    status = json.loads(_dvc("status", "--json", str(paths.RAW_DVC)))
    changes = [change.get("changed outs", {}) for change in status.get(str(paths.RAW_DVC), [])]
    return next((str(change[str(paths.RAW)]) for change in changes if change), None)


def _dvc(*arguments: str) -> str:
    result = _run(*arguments)
    if result.returncode != 0:
        raise DataError(f"`dvc {' '.join(arguments)}` failed:\n{result.stderr.strip()}")
    return result.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvc", *arguments]
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
