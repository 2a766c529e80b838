"""Delete from DVC's cache, and from its remote, what can show withdrawn images.

A version of `data/raw`, or of `data/external/raw`, is a list of names and objects, and the names
are ids of the files. So every version that held one is found by its list, the runs of stages on
such a version by DVC's run cache and `dvc.lock`, and so on to what was made of their outs. The
lists go last: killed anywhere and run again, it finds what is left.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tasks.common import paths
from tasks.common.errors import DataError
from tasks.common.paths import PLACES
from tasks.intake.file_ids import file_of

FOLDER = ".dir"  # ending of the id of an object that lists a folder
Lists = Mapping[str, Mapping[str, str]]  # id of a list -> name in the folder -> id of the object


@dataclass(frozen=True)
class Purged:
    """How many objects went, and in a word why those of the remote did not, if so."""

    objects: int
    remote_failure: str = ""


def purge(images: Container[str], remote: bool) -> Purged:
    """Delete all that was made of files of these ids; what the version at hand holds stays.

    Raises:
        DataError: the cache is in use, or cannot be written.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    try:
        with Repo() as repo, repo.lock:
            runs = _run_cache(Path(repo.cache.local_cache_dir))
            stores, failure = [repo.cache.local], ""
            try:
                stores += [repo.cloud.get_remote_odb()] if remote else []
                count, tainted = _purge(stores, images, runs)
            except (DvcException, OSError, ImportError) as error:
                if not remote:
                    raise
                failure = type(error).__name__
                count, tainted = _purge(stores[:1], images, runs)
            if not failure:  # else they are needed once more, for what the remote has of them
                _forget(runs, tainted)
            return Purged(count, failure)
    except (LockError, DvcException, OSError) as error:
        raise DataError(
            f"DVC's cache cannot be purged ({type(error).__name__}): end what else works in this "
            "project, fix the rights of the cache, then run the same again"
        ) from None


def _purge(
    stores: Sequence[Any], images: Container[str], runs: Mapping[Path, Any]
) -> tuple[int, set[str]]:
    """Delete in every store; how many objects went, and the ids of versions and outs concerned."""
    lists = {oid: found for store in stores for oid, found in _lists(store).items()}
    versions = {oid for oid, entries in lists.items() if any(_file(n) in images for n in entries)}
    current = _current()
    versions -= current
    tainted = _tainted(versions, [*runs.values(), *_locked()])
    going = _objects(tainted - versions, lists)
    for oid in versions:
        names = lists[oid]
        going |= {names[n] for n in names if _file(n) in images or n == paths.COHORT.name}
    going -= {oid for version in current for oid in lists.get(version, {}).values()}
    starts = _starts(stores, lists, images)
    going |= {oid for start in starts for oid in lists[start].values()}
    count = sum(_delete(store, oid) for store in stores for oid in sorted(going))
    count += sum(_delete(store, oid) for store in stores for oid in sorted(versions | starts))
    return count, tainted


def _starts(stores: Sequence[Any], lists: Lists, images: Container[str]) -> set[str]:
    """The versions of `data/start` that hold a network which has learnt from one of the images."""
    facts = {oid: names.get(paths.START_FACTS.name) for oid, names in lists.items()}
    return {oid for oid, named in facts.items() if named and _learnt(stores, named, images)}


def _learnt(stores: Sequence[Any], facts: str, images: Container[str]) -> bool:
    """What the facts about a start say; where they are gone, a purge that was killed took them."""
    store = next((store for store in stores if store.exists(facts)), None)
    if store is None:
        return True
    with store.fs.open(store.oid_to_path(facts), "r") as file:
        sides = json.load(file)["images"].values()
    return any(file_of(image) in images for side in sides for image in side)


def _forget(runs: Mapping[Path, Any], tainted: Collection[str]) -> None:
    """Remove what DVC remembers of runs, so that it does not look for their outs."""
    for file, run in runs.items():
        if _ids(run, "deps") & set(tainted):
            file.unlink(missing_ok=True)


def _file(name: str) -> str:
    """The id of the file that a name is of; its mask has it too."""
    return Path(name).name.partition(".")[0]


def _lists(store: Any) -> dict[str, dict[str, str]]:
    lists = {}
    for oid in [oid for oid in store.all() if oid.endswith(FOLDER)]:
        with store.fs.open(store.oid_to_path(oid), "r") as file:
            lists[oid] = {entry["relpath"]: entry["md5"] for entry in json.load(file)}
    return lists


def _current() -> set[str]:
    """The versions at hand."""
    files = [place.version for place in PLACES if place.version.exists()]
    return {str(out["md5"]) for file in files for out in YAML(typ="safe").load(file)["outs"]}


def _run_cache(cache: Path) -> dict[Path, Any]:
    """What DVC remembers of every run of a stage, by its file."""
    yaml = YAML(typ="safe")
    files = [file for file in (cache / "runs").rglob("*") if file.is_file()]
    return {file: yaml.load(file) for file in files}


def _locked() -> list[Any]:
    if not paths.DVC_LOCK.exists():
        return []
    return list(YAML(typ="safe").load(paths.DVC_LOCK)["stages"].values())


def _ids(run: Any, what: str) -> set[str]:
    return {str(entry["md5"]) for entry in run.get(what, []) if "md5" in entry}


def _tainted(versions: Collection[str], runs: Iterable[Any]) -> set[str]:
    """The versions, and the outs of every run that depends on one of them or on such an out. Of the
    folder around the external images DVC keeps no list, so any run on a filled one counts.
    """
    runs = list(runs)
    tainted, before = set(versions).union(*map(_external, runs)), -1
    while len(tainted) != before:
        before = len(tainted)
        for run in runs:
            if tainted & _ids(run, "deps"):
                tainted |= _ids(run, "outs")
    return tainted


def _external(run: Any) -> set[str]:
    """The ids of the folder around the external images, as a run had it, where it held more than
    what git keeps there.
    """
    deps = (dep for dep in run.get("deps", []) if dep["path"] == str(paths.EXTERNAL))
    return {str(dep["md5"]) for dep in deps if dep.get("nfiles", 0) > 1}


def _objects(outs: Collection[str], lists: Lists) -> set[str]:
    return set(outs) | {oid for out in outs for oid in lists.get(out, {}).values()}


def _delete(store: Any, oid: str) -> bool:
    try:
        store.delete(oid)
    except FileNotFoundError:
        return False
    return True
