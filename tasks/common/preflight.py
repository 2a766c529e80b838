"""What a run needs of the folder, the parameters and the machine, looked at before work begins.

The flow and `make repro` end at the first thing that is wrong; `make doctor` shows everything. No
check imports a heavy package or changes anything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.common import champion, labels, paths, weights_file, wording
from tasks.common.errors import RegistryError, TrainingError, WorkspaceError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params

GB = 1e9
NEEDED, ADVISED = 1.0, 10.0  # GB free


@dataclass(frozen=True)
class Finding:
    """What a check has seen, and what a person may do about it; nothing: all is well."""

    says: str
    advice: str = ""


Check = Callable[[], Finding]


def require() -> None:
    """Make every check.

    Raises:
        MedloopError: of the first check that fails; the message says what fixes it.
    """
    for check in CHECKS.values():
        check()


def folder() -> Finding:
    """The current folder is a project's root.

    Raises:
        WorkspaceError: it is not.
    """
    if missing := [str(file) for file in (paths.DVC_YAML, paths.PARAMS) if not file.is_file()]:
        raise WorkspaceError(
            f"required: the project's root, with dvc.yaml and params.yaml; received: a folder "
            f"without {' and '.join(missing)}. `cd` to the project and run it again"
        )
    return Finding(str(Path.cwd()))


def git() -> Finding:
    """The folder is in a git repository, which DVC asks for.

    Raises:
        WorkspaceError: git is not installed, or there is no repository.
    """
    if shutil.which("git") is None:
        raise WorkspaceError("required: git; received: none on the PATH. Install it")
    here = paths.root()
    if _without_git():
        return Finding("not asked for: core.no_scm is set")
    if not any((parent / ".git").exists() for parent in (here, *here.parents)):
        raise WorkspaceError(
            "required: a git repository, in which DVC versions data; received: a folder without "
            "one, such as a ZIP download. `git clone` the project instead, or make this folder "
            "one: git init && git add -A && git commit -m 'The project as downloaded'"
        )
    return Finding("a repository")


def _without_git() -> bool:
    configs = [Path(".dvc") / name for name in ("config", "config.local")]
    texts = [config.read_text(encoding="utf-8") for config in configs if config.is_file()]
    return any("no_scm=true" in text.lower().replace(" ", "") for text in texts)


def state() -> Finding:
    """The state folder is a folder, or can become one, and can be written.

    Raises:
        WorkspaceError: it is neither.
    """
    place = paths.state()
    if place.exists() and not place.is_dir():
        raise WorkspaceError(
            f"required: a folder at {place}, for state; received: a file. Move it away, or let "
            "MEDLOOP_STATE name another place"
        )
    nearest = next(parent for parent in (place, *place.parents) if parent.exists())
    for needed in (nearest, Path.cwd()):
        if not os.access(needed, os.W_OK):
            raise WorkspaceError(
                f"required: the right to write in {needed}; received: none. Change the folder's "
                "owner or rights, or work in a folder of your own"
            )
    return Finding(str(place))


def parameters() -> Finding:
    """`params.yaml` is allowed as a whole.

    Raises:
        ParameterError: a key is unknown, missing or out of range.
    """
    params = load(Params)
    return Finding(f"source {params.pull.source}, task {params.task.kind}")


def weights() -> Finding:
    """The weights file that `model.weights` names is there.

    Raises:
        WeightsError: it is not.
    """
    model = load(Params).model
    weights_file.named(model.weights)
    return Finding(f"{model.backbone}, {model.weights}")


def devices() -> Finding:
    """The machine has the GPUs that `train.devices` asks for.

    Raises:
        TrainingError: it has fewer.
    """
    wanted, there = load(Params).train.devices, gpus()
    if wanted > 1 and there < wanted:
        raise TrainingError(
            f"required: {wanted} GPUs (train.devices); received: {there} on this machine. Set "
            f"train.devices to {max(1, there)}"
        )
    return Finding(f"{wording.count(there, 'GPU')}, {wanted} asked for" if there else "CPU")


def gpus() -> int:
    """How many NVIDIA GPUs the machine shows to this process."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
        there = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    except OSError:  # some containers have the devices alone
        there = len(list(Path("/dev").glob("nvidia[0-9]*")))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return there
    return min(there, len([gpu for gpu in visible.split(",") if gpu.strip() not in ("", "-1")]))


def disk() -> Finding:
    """The disks of the workspace and of the state folder have room.

    Raises:
        WorkspaceError: they have next to none.
    """
    places = [paths.root(), next(p for p in (paths.state(), paths.root()) if p.is_dir())]
    free, place = min((shutil.disk_usage(place).free / GB, place) for place in places)
    if free < NEEDED:
        raise WorkspaceError(
            f"required: {NEEDED:g} GB free in {place}; received: {free:.1f}. Make room: `dvc gc "
            "--workspace` drops versions that nothing here uses, and .medloop can be deleted"
        )
    scarce = free < ADVISED
    advice = "large sets may not fit: images, their copies in DVC's cache, activations" * scarce
    return Finding(f"{free:.0f} GB free", advice)


def task() -> Finding:
    """The champion, where there is one, can be compared with a model of this task.

    Raises:
        RegistryError: it scores other classes.
    """
    params = load(Params)
    if params.task.classes == "auto":
        return Finding("the next pull writes down the classes")
    wanted = labels.scored(params.task.kind, params.task.names)
    best = champion.find(params.publish.model_name)
    if best is None:
        return Finding("no champion yet")
    if not set(wanted) <= set(best.scored):
        raise RegistryError(
            f"required: the task of the champion, version {best.version} of "
            f"{params.publish.model_name!r}, which scores {best.scored}; received: {wanted} "
            "(task.classes). Models of another task cannot be compared: set publish.model_name in "
            "params.yaml to a new name"
        )
    return Finding(f"that of the champion, version {best.version}")


CHECKS: dict[str, Check] = {
    "folder": folder,
    "git": git,
    "state": state,
    "disk": disk,
    "parameters": parameters,
    "weights": weights,
    "devices": devices,
    "task": task,
}
