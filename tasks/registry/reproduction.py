"""A version made once more, from its commit and its data, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from ruamel.yaml import YAML

from tasks.common import digests, paths, pipeline
from tasks.common.errors import RegistryError
from tasks.registry import environment, model_versions, start
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect

# Of this workspace: the repetition has its own, and computes instead of finding what is stored.
OWN = ("MEDLOOP_STATE", "MLFLOW_TRACKING_URI", "DVC_ROOT", "MEDLOOP_WITNESS")
LOCKED = Path("recorded.lock")  # the dvc.lock of then, beside that of now


def reproduce(name: str, number: int, folder: Path) -> bool:
    """Repeat a version in `folder`, and tell whether it is the same model.

    Raises:
        RegistryError: there is no such version, its run does not say what made it, or its commit
            or data are not here.
    """
    with in_one_line():
        client = connect()
        version = model_versions.required(client, name, number)
        run = client.get_run(model_versions.run_of(version))
        _tell_environment(client, run.info.run_id)
        _check_out(run.data.tags, folder)
        _bring_records(client, run.info.run_id, folder)
        _bring_start(client, run.data.tags, folder)
    _bring_data(folder)
    _repeat(folder)
    network = version.tags.get(model_versions.NETWORK, "")
    return _compare(network, folder)


def _tell_environment(client: MlflowClient, run_id: str) -> None:
    recorded = environment.recorded(client, run_id)
    if not recorded:
        print("What it was computed with was not recorded: another machine may give other digests")
        return
    found = list(environment.differences(recorded, environment.describe()))
    told = "not what it was computed with, so digests may differ:" if found else "as it was then"
    print("\n  ".join([f"This environment is {told}", *found]))


def _check_out(tags: Mapping[str, str], folder: Path) -> None:
    commit = tags.get("git.commit")
    if not commit:
        raise RegistryError(
            "required: the commit that the version was made from; received: a run without one, "
            "made outside a repository"
        )
    if tags.get("git.dirty") == "true":
        print(f"Its code was that of commit {commit[:8]} with changes that nobody committed")
    if folder.exists() and any(folder.iterdir()):
        raise RegistryError(f"required: an empty folder; received: {folder}, which holds files")
    _run(["git", "clone", "--quiet", "--no-checkout", str(paths.root()), str(folder)], paths.root())
    _run(["git", "checkout", "--quiet", commit], folder)


def _bring_records(client: MlflowClient, run_id: str, folder: Path) -> None:
    """The parameters and the `dvc.lock` of then. Whereabouts of the source are blanked there, which
    no stage reads.
    """
    client.download_artifacts(run_id, str(paths.PARAMS), str(folder))
    with tempfile.TemporaryDirectory() as place:
        lock = Path(client.download_artifacts(run_id, str(paths.DVC_LOCK), place))
        (folder / LOCKED).write_bytes(lock.read_bytes())
    (folder / paths.DVC_LOCK).unlink(missing_ok=True)


def _bring_start(client: MlflowClient, tags: Mapping[str, str], folder: Path) -> None:
    """The version that training started from then, if from one."""
    if (number := tags.get("start.version")) is not None:
        version = model_versions.required(client, tags["start.model_name"], int(number))
        start.bring(client, version, folder / paths.STARTED_FROM.folder)


def _bring_data(folder: Path) -> None:
    deps = _read(folder / LOCKED)["stages"]["preprocess"]["deps"]
    data = next(dep for dep in deps if dep["path"] == str(paths.RAW))
    out = {"md5": data["md5"], "hash": "md5", "path": paths.RAW.name}
    (folder / paths.RAW_DVC).parent.mkdir(parents=True, exist_ok=True)
    YAML().dump({"outs": [out]}, folder / paths.RAW_DVC)
    cache = (paths.root() / ".dvc" / "cache").resolve()
    _dvc(["cache", "dir", "--local", str(cache)], folder)
    _dvc(["pull" if _has_remote(folder) else "checkout", str(paths.RAW_DVC)], folder)


def _has_remote(folder: Path) -> bool:
    command = [sys.executable, "-m", "dvc", "remote", "list"]
    return bool(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout.strip())


def _repeat(folder: Path) -> None:
    """Every stage but the one that publishes, computed and not restored."""
    stages = [stage for stage in pipeline.stages() if stage != "publish"]
    _dvc(["repro", "--force", "--no-run-cache", *stages], folder)


def _dvc(arguments: Sequence[str], folder: Path) -> None:
    _run([sys.executable, "-m", "dvc", *arguments], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in OWN}
    key = {"MEDLOOP_KEY_FILE": str(paths.key_file())}
    done = subprocess.run(command, cwd=folder, env=inherited | key, check=False)
    if done.returncode != 0:
        raise RegistryError(
            f"required: `{' '.join(command)}` to succeed in {folder}; received: status "
            f"{done.returncode}, see above"
        )


def _compare(wanted: str, folder: Path) -> bool:
    found = digests.of_model(folder / paths.MODEL)
    then, now = (_read(folder / file)["stages"] for file in (LOCKED, paths.DVC_LOCK))
    for line in _differing(then, now):
        print(f"  {line}")
    same = found == wanted
    told = f"digest {wanted}" if same else f"digest {wanted} then, {found} now"
    print(f"{'The same model' if same else 'Another model'}: {told}")
    return same


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Lines about the files that stages made otherwise, in the order of the pipeline."""
    for stage, entry in now.items():
        before = {out["path"]: out["md5"] for out in then.get(stage, {}).get("outs", [])}
        after = {out["path"]: out["md5"] for out in entry.get("outs", [])}
        for path, md5 in after.items():
            if before.get(path) != md5:
                yield f"{stage}: {path} is {md5[:8]} now, {before.get(path, 'none')[:8]} then"


def _read(path: Path) -> Any:
    return YAML(typ="safe").load(path)
