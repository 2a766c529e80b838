"""The file of a SQLite store: whether MLflow can use it, and where it says that artifacts lie.

Nothing here imports MLflow, so that a look takes milliseconds.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tasks.common.errors import RegistryError

SQLITE = "sqlite:///"
SECONDS = 5.0  # to wait for another program's transaction
ROOM = 0.2  # GB for a run: its files and the packaged model
GB = 1e9
REVISION = re.compile(r"^(down_)?revision\b[^=]*=(.*)$", re.MULTILINE)
IDS = re.compile(r"[\"'](\w+)[\"']")
PLACES = (  # the columns that hold where files lie
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
ARTIFACTS = "artifacts"  # the folder beside the database


def of_uri(uri: str) -> Path | None:
    """The file behind a tracking URI; None for a server or another database."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def check(path: Path) -> None:
    """Hold the file, if there is one, to be a store of the installed MLflow that can be written.

    Raises:
        RegistryError: it is not, or its disk is full.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise RegistryError(
            f"required: a folder for the MLflow store that can be written; received: {folder}. "
            "Change its rights, or let MLFLOW_TRACKING_URI name another place"
        )
    free = shutil.disk_usage(folder).free / GB
    if free < ROOM:
        raise RegistryError(
            f"required: {ROOM:g} GB free for the MLflow store in {folder}; received: {free:.2f}. "
            "Make room: `dvc gc --workspace` drops versions that nothing here uses"
        )
    if path.exists():
        with _opened(path) as database:
            _check_schema(path, database)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that may write; it is rolled back unless it is committed.

    Raises:
        RegistryError: the file cannot be opened or written, or is no database.
    """
    try:
        with closing(sqlite3.connect(path, timeout=SECONDS, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
    except sqlite3.Error as error:
        locked = "locked" in str(error)
        advice = (
            "Another program holds it: end it, or wait for it"
            if locked
            else "Restore the file from a backup, or move it away: the next run begins a new one"
        )
        raise RegistryError(
            f"required: an MLflow store in {path} that can be written; received: {error}. {advice}"
        ) from None


def _check_schema(path: Path, database: sqlite3.Connection) -> None:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return  # MLflow fills an empty file
    found = (
        {revision for (revision,) in database.execute("SELECT version_num FROM alembic_version")}
        if "alembic_version" in tables
        else set()
    )
    before, newest = _revisions()
    if found == {newest}:
        return
    if found and found <= before:
        advice = (
            "an older MLflow. With a copy of the file in a safe place, bring it up to date: "
            f"`python -m mlflow db upgrade '{SQLITE}{path}'`"
        )
    elif found:
        advice = "a newer MLflow. `make setup` in a newer version of this project installs that"
    else:
        advice = "another program. Let MLFLOW_TRACKING_URI name another file"
    raise RegistryError(
        f"required: a store in {path} by the installed MLflow; received: one by {advice}"
    )


@cache
def _revisions() -> tuple[set[str], str]:
    """The earlier schemas and the present one, as the migrations of the installed MLflow say."""
    spec = find_spec("mlflow")
    assert spec is not None
    assert spec.origin is not None
    revisions, before = set[str](), set[str]()
    for file in (Path(spec.origin).parent / "store/db_migrations/versions").glob("*.py"):
        for down, value in REVISION.findall(file.read_text(encoding="utf-8")):
            (before if down else revisions).update(IDS.findall(value))
    (newest,) = revisions - before
    return before, newest


def bring_home(path: Path) -> Path | None:
    """Where the store was moved or copied with its workspace, let it name its files where they lie
    now, since MLflow records absolute paths. Gives the folder that it named; None: all is well.

    Raises:
        RegistryError: the file cannot be written.
    """
    here = path.absolute().parent
    with _opened(path) as database:
        left = (folder for folder in _named(database) if _was_left(folder, path, database))
        old = next(left, None)
        if old is None:
            return None
        copied = _is_another_store(old, path)
        for table, column in PLACES:
            # What a move left behind, or went there after it, stays where it is; new runs do not.
            keep = not copied and table != "experiments"
            database.create_function("moved", 1, partial(_moved, old=old, new=here, keep=keep))
            changed = f"{column} = moved({column}) WHERE {column} IS NOT moved({column})"
            database.execute(f"UPDATE {table} SET {changed}")
        database.execute("COMMIT")
    return old


def _named(database: sqlite3.Connection) -> list[Path]:
    """The folders of stores in which experiments keep their files."""
    rows = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    places = [place for (location,) in rows if (place := _local(location))]
    return [place.parent for place in places if place.name == ARTIFACTS]


def _was_left(folder: Path, path: Path, database: sqlite3.Connection) -> bool:
    """Whether the store once lay in `folder`, rather than being told to keep its files there."""
    here = path.absolute().parent
    if folder.name != here.name or folder.resolve() == here.resolve():
        return False
    if _is_another_store(folder, path) or not _there(folder / ARTIFACTS):
        return True
    rows = database.execute("SELECT artifact_uri FROM runs").fetchall()
    places = [place for (uri,) in rows if (place := _local(uri))]
    inside = [place.relative_to(folder) for place in places if place.is_relative_to(folder)]
    return any(_there(here / place) for place in inside)


def _is_another_store(folder: Path, path: Path) -> bool:
    other = folder / path.name
    return _there(other) and not other.samefile(path)


def _there(place: Path) -> bool:
    """Whether it exists and may be seen: the old folder may be a colleague's."""
    try:
        return place.exists()
    except PermissionError:
        return False


def _moved(place: str | None, *, old: Path, new: Path, keep: bool) -> str | None:
    was = _local(place)
    if place is None or was is None or not was.is_relative_to(old):
        return place
    now = new / was.relative_to(old)
    if keep and _there(was) and not _there(now):
        return place
    return now.as_uri() if place.startswith("file:") else str(now)


def _local(place: str | None) -> Path | None:
    """The path behind a path or a `file:` URI; None for what lies elsewhere."""
    if place is None:
        return None
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(place)
