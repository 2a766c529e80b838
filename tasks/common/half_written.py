"""DVC's own files as a kill leaves them: it empties a file before it writes it anew, and then can
read it no more. Each is looked at under the lock that its writer holds.
"""

from __future__ import annotations

import json
from pathlib import Path

from tasks.common import locks, paths
from tasks.common.errors import WorkspaceError

TEMPORARY = Path(".dvc/tmp")
WHO_WORKS = TEMPORARY / "rwlock"  # which living process reads or writes which file
WHO_WORKS_LOCK = TEMPORARY / "rwlock.lock"
REPOSITORY_LOCK = TEMPORARY / "lock"


def cut_short(yaml: Path) -> bool:
    """Whether the YAML file is there and its writing was broken off: it ends in a newline else."""
    return yaml.is_file() and not yaml.read_bytes().endswith(b"\n")


def clear() -> list[str]:
    """Remove what is half-written; what went, in words.

    Nothing is lost: DVC finds the results again by its run cache, and the folder of a version is
    whole before the version is written. Where a process of DVC works, its files are left to it.

    Raises:
        WorkspaceError: a version is half-written and its folder is not here.
    """
    if not TEMPORARY.is_dir():
        return []
    gone = []
    try:
        with locks.held(WHO_WORKS_LOCK):
            if WHO_WORKS.exists() and not _readable(WHO_WORKS):
                gone.append(_remove(WHO_WORKS))
        with locks.held(REPOSITORY_LOCK):
            gone += [_remove(file) for file in _files() if cut_short(file)]
    except locks.HeldError:
        pass
    return gone


def _files() -> list[Path]:
    for place in paths.PLACES:
        if cut_short(place.version) and not place.folder.is_dir():
            raise WorkspaceError(
                f"required: the version of {place.folder} in {place.version}; received: half a "
                f"file, and no folder. Bring the file back: git checkout {place.version}"
            )
    versioned = (*paths.PLACES, paths.STARTED_FROM)
    return [paths.DVC_LOCK, *(place.version for place in versioned)]


def _readable(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except ValueError:
        return False


def _remove(file: Path) -> str:
    file.unlink()
    return f"{file} was half-written when a run was killed, so it is made anew"
