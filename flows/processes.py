"""Commands in process groups of their own: streamed, killed whole, and found again when orphaned.

DVC starts each stage as a child. Killing DVC alone leaves that child writing, so a command is
started as the leader of a new session and ended as a group. Where the flow itself is killed
outright, the group outlives it: its record in the state folder lets the next flow end it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tasks.common import paths
from tasks.common.documents import read_json, write_json
from tasks.common.paths import StateEntry

GRACE_SECONDS = 10.0


class CommandError(Exception):
    """A command ended with a status other than 0."""


class BusyError(Exception):
    """Another flow works in this workspace; the message says which."""


class StoppedError(Exception):
    """Somebody asked to stop: by Ctrl-C, or a service manager by SIGTERM."""


@dataclass
class _Stop:
    """What the handler of signals and the command that runs tell one another."""

    asked: bool = False
    group: int | None = None


_stop = _Stop()


@contextmanager
def stoppable(*signals: signal.Signals) -> Iterator[None]:
    """Let `signals` end the command that runs, and `run` raise `StoppedError` from then on.

    Nothing is raised where the signal finds the process: Prefect would take that for a crash. A
    second signal does not wait for the command to end by itself.
    """
    _stop.asked = False
    before = {number: signal.signal(number, _ask) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(number: int, frame: object) -> None:
    group, again, _stop.asked = _stop.group, _stop.asked, True
    os.write(sys.stderr.fileno(), b"\nStopping ...\n")  # `print` may be what was interrupted
    if group is not None and again:
        _signal(group, signal.SIGKILL)
    elif group is not None:
        end_group(group)


@contextmanager
def only_flow() -> Iterator[None]:
    """Be the one flow of this workspace: two would pull over each other.

    The lock is the kernel's, so it ends with its process, however that ends.

    Raises:
        BusyError: another process holds it.
    """
    path = paths.StateEntry.FLOW_LOCK.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BusyError(
                f"another flow works in this workspace (process {file.read() or 'unknown'}): "
                "wait for its end, or end it, and start again"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def environment() -> dict[str, str]:
    """The environment of a command: this interpreter first on the path, and quiet tools."""
    binaries = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")]),
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def run(
    command: Sequence[str], on_line: Callable[[str], None], extra: dict[str, str] | None = None
) -> None:
    """Run `command` in a process group of its own and hand each line of its output to `on_line`.

    Whatever ends this call early ends the whole group.

    Raises:
        CommandError: the command's status is not 0.
        StoppedError: somebody has asked to stop.
    """
    if _stop.asked:
        raise StoppedError
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment() | (extra or {}),
        start_new_session=True,
    )
    with recorded(process.pid), process:
        try:
            _stop.group = process.pid
            if _stop.asked:  # since the first look
                end_group(process.pid)
            for line in _lines(process):
                on_line(line)
            status = process.wait()
        except BaseException:
            end_group(process.pid)
            process.wait()
            raise
        finally:
            _stop.group = None
    if _stop.asked:
        raise StoppedError
    if status != 0:
        raise CommandError(f"`{' '.join(command[1:])}` ended with status {status}")


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        if text := line.rstrip():
            yield text


def end_group(group: int) -> None:
    """End every process of a group: asked first, killed after a grace period."""
    members = _members(group)
    _signal(group, signal.SIGTERM)
    _, alive = psutil.wait_procs(members, timeout=GRACE_SECONDS)
    if alive:
        _signal(group, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=GRACE_SECONDS)


def end_orphans() -> list[int]:
    """End the groups that a killed flow left running; return their ids.

    A group is an orphan when the process that started it is gone. Process ids are reused, so a
    group counts only if its leader or a member was started when the record says.
    """
    ended = []
    for record in StateEntry.GROUPS.path.glob("*.json"):
        try:
            entry = read_json(record)
        except (json.JSONDecodeError, FileNotFoundError):
            record.unlink(missing_ok=True)
            continue
        if _started(entry["owner"]) == entry["owner_started"]:
            continue
        if any(p.create_time() >= entry["started"] for p in _members(entry["group"])):
            end_group(entry["group"])
            ended.append(entry["group"])
        record.unlink(missing_ok=True)
    return ended


@contextmanager
def recorded(group: int) -> Iterator[None]:
    """Let a later `end_orphans` end a group that this process has started, if it cannot itself."""
    record = StateEntry.GROUPS.path / f"{group}.json"
    owner = os.getpid()
    entry = {
        "group": group,
        "started": _started(group),
        "owner": owner,
        "owner_started": _started(owner),
    }
    write_json(record, entry)
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def _started(pid: int) -> float:
    """When a process started, in seconds since the epoch; 0 if there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def _members(group: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group:
                members.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
