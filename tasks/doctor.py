"""Look at everything that a run needs, and say how to fix what is wrong: `make doctor`.

It changes nothing. The first checks are those that every run makes before it begins.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path

from tasks.common import paths, preflight, servers
from tasks.common.errors import (
    DataError,
    MedloopError,
    TrainingError,
    WorkspaceError,
)
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.preflight import Check, Finding
from tasks.evidence import owner
from tasks.intake import data_versions
from tasks.privacy.pseudonyms import load_key
from tasks.registry import store as mlflow_store

LOCK = Path("requirements.lock")
GPU_LOCKS = {  # by a package that those before have not
    "jax-cuda12-plugin": Path("requirements-gpu-jax.lock"),
    "nvidia-cudnn-cu12": Path("requirements-gpu.lock"),
}
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)( ;)?", re.MULTILINE)
SPELLED = 5  # packages of a message
SECONDS = 10.0  # for a server to answer
COUNT_GPUS = "from tasks.networks import device; print(len(device.backend.gpus()))"


def versions() -> Finding:
    """The packages are those of the lock.

    Raises:
        WorkspaceError: some are missing or have another version.
    """
    lock, python = _lock(), f"Python {sys.version.split()[0]}"
    if not lock.is_file():
        return Finding(python, f"{lock} is not here to compare the packages with")
    pinned, optional = defaultdict(set), set()
    for name, version, condition in PINNED.findall(lock.read_text(encoding="utf-8")):
        pinned[name].add(version)
        optional |= {name} if condition else set()
    there = {name: _installed(name) for name in pinned}
    wrong = [
        f"{name} {there[name] or 'missing'} in place of {' or '.join(sorted(wanted))}"
        for name, wanted in pinned.items()
        if there[name] not in wanted and (there[name] or name not in optional)
    ]
    if wrong:
        more = f" and {len(wrong) - SPELLED} more" * (len(wrong) > SPELLED)
        raise WorkspaceError(
            f"required: the packages of {lock}; received: {', '.join(wrong[:SPELLED])}{more}. "
            f"`touch {lock} && make setup LOCK={lock}` installs them"
        )
    return Finding(f"{python}, {len(pinned)} packages as in {lock}")


def _lock() -> Path:
    return next((lock for name, lock in GPU_LOCKS.items() if _installed(name)), LOCK)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def gpu() -> Finding:
    """Keras's backend sees the GPUs that are there.

    Raises:
        TrainingError: it sees fewer.
    """
    there, lock = preflight.gpus(), _lock()
    if lock == LOCK:
        locks = " or ".join(str(known) for known in GPU_LOCKS.values())
        advice = f"`make setup LOCK={locks}` installs what computes on it" if there else ""
        return Finding(f"{there} here, computing on the CPU", advice)
    if not there:
        return Finding("none here", f"{lock} is installed; `make setup LOCK={LOCK}` takes less")
    asked = subprocess.run([sys.executable, "-c", COUNT_GPUS], capture_output=True, text=True)
    seen = int(asked.stdout.split()[-1]) if asked.returncode == 0 else 0
    if seen < there:
        raise TrainingError(
            f"required: a backend that sees {there} GPUs; received: one that sees {seen}. "
            f"`nvidia-smi` names the driver; one for CUDA 12.5 or later is needed. {lock} is "
            f"installed: it is for BACKEND={'jax' if 'jax' in lock.stem else 'tensorflow'}"
        )
    return Finding(f"{seen} here, all seen by Keras's backend")


def ports() -> Finding:
    """The ports of `make server` are free, or its own."""
    wanted = servers.ports()
    told = ", ".join(str(port) for port in wanted.values())
    if where := servers.recorded():
        return Finding(f"`make server` runs: {', '.join(where.values())}")
    try:
        servers.require_free(wanted)
    except WorkspaceError as error:  # no run needs them
        return Finding(f"{told}: not all free", str(error))
    return Finding(f"{told} are free")


def key() -> Finding:
    """The de-identification key is the one that `params.yaml` names.

    Raises:
        PrivacyError: it is missing or another one.
    """
    params = load(Params)
    load_key(params)
    return Finding("the phantom's" if params.pull.source == "phantom" else "the one that is named")


def owners_text() -> Finding:
    """The owner's text is there, with headings that are known.

    Raises:
        WorkspaceError: it is not there.
        DataError: a heading is not known.
    """
    if not paths.OWNER.exists():
        raise WorkspaceError(
            f"required: {paths.OWNER}, which the report is made with; received: no such file. "
            f"`git checkout {paths.OWNER}` brings it back"
        )
    answers = owner.read(paths.OWNER)
    silent = sum(not said for said in answers.values())
    advice = f"the report shows gaps: {paths.OWNER} has the questions" * bool(silent)
    return Finding(f"{len(answers) - silent} of {len(answers)} headings answered", advice)


def remote() -> Finding:
    """The default DVC remote can be reached.

    Raises:
        DataError: it cannot.
    """
    if not data_versions.has_remote():
        advice = "for a copy elsewhere: dvc remote add -d storage <folder or bucket>, then dvc push"
        return Finding("none: data and models lie here alone", advice)
    versions = [str(place.version) for place in paths.PLACES if place.version.exists()]
    if not versions:
        return Finding("set; nothing to send before the first pull")
    command = [sys.executable, "-m", "dvc", "status", "--cloud", *versions]
    asked = subprocess.run(command, capture_output=True, text=True)
    if asked.returncode != 0:
        said = (asked.stderr.strip().splitlines() or ["nothing"])[-1]
        raise DataError(
            f"required: the default DVC remote; received: {said}. `dvc remote list` names it, and "
            "https://dvc.org/doc/user-guide/data-management/remote-storage its settings"
        )
    missing = "new:" in asked.stdout or "deleted:" in asked.stdout
    return Finding("reached", "not all images are there or here: dvc push, dvc pull" * missing)


def store() -> Finding:
    """The MLflow store answers, has the right schema and room.

    Raises:
        RegistryError: it does not.
    """
    return Finding(mlflow_store.check())


def prefect() -> Finding:
    """The Prefect server that is named answers.

    Raises:
        WorkspaceError: it does not.
    """
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return Finding("that of `make server`, or one of its own for each run")
    servers.require_prefect(url)
    return Finding(f"{url} answers")


CHECKS: dict[str, Check] = {
    **preflight.CHECKS,
    "versions": versions,
    "GPU": gpu,
    "ports": ports,
    "key": key,
    "owner": owners_text,
    "remote": remote,
    "MLflow": store,
    "Prefect": prefect,
}


def main() -> None:
    """Make every check and print what each has seen; ends with 1 where something is broken."""
    broken = 0
    for name, check in CHECKS.items():
        try:
            finding = check()
            _tell("note" if finding.advice else "ok", name, finding.says, finding.advice)
        except MedloopError as error:
            broken += 1
            _tell("BROKEN", name, str(error))
            if check is preflight.folder:
                break  # nothing else is here
    print(f"\nTo be fixed: {broken}" if broken else "\nAll is well.")
    sys.exit(1 if broken else 0)


def _tell(state: str, name: str, *lines: str) -> None:
    first, *others = [line for text in lines for line in text.splitlines()]
    print(f"{state:<8}{name:<12}{first}", flush=True)
    for line in others:
        print(f"{'':<20}{line}", flush=True)


if __name__ == "__main__":
    main()
