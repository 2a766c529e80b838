"""Commands in process groups of their own: streamed, killed whole, and found again when orphaned.

DVC starts each stage as a child. Killing DVC alone leaves that child writing, so a command is
started as the leader of a new session and ended as a group. Where the flow itself is killed
outright, the group outlives it: its environment says who started it, so the next flow can end it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tasks.common import locks, paths

GRACE_SECONDS = 10.0
STOPPED = 128 + signal.SIGINT  # the status of a flow that was stopped
STARTED_BY = "MEDLOOP_STARTED_BY"  # of a command: the id of who started it, and the state folder


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

    Raises:
        BusyError: another process holds it.
    """
    paths.clear_state()
    try:
        with locks.held(paths.StateEntry.FLOW_LOCK.path):
            yield
    except locks.HeldError as holder:
        raise BusyError(
            f"another flow works in this workspace ({holder}): wait for its end, or end it, and "
            "start again"
        ) from None


def environment() -> dict[str, str]:
    """The environment of a command: this interpreter first on the path, quiet tools, and whose
    command it is.
    """
    binaries = str(Path(sys.executable).parent)
    return os.environ | {
        STARTED_BY: f"{os.getpid()} {paths.state()}",
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
    with process:
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
    """End the groups that a killed flow of this workspace left running; return their ids.

    An orphan carries in its environment, which children inherit, that a process started it which
    is gone. Ids are no evidence: another process has them after a while, or after a reboot.
    """
    spared = _groups([psutil.Process(), *psutil.Process().parents()])
    orphans = [process for process in psutil.process_iter() if _is_orphan(process)]
    ended = sorted(_groups(orphans) - spared)
    for group in ended:
        end_group(group)
    return ended


def _is_orphan(process: psutil.Process) -> bool:
    try:
        owner, _, state = process.environ().get(STARTED_BY, "").partition(" ")
        return state == str(paths.state()) and not _lived(int(owner), process.create_time())
    except (psutil.Error, OSError, ValueError):  # not ours to look at, or to understand
        return False


def _lived(pid: int, then: float) -> bool:
    """Whether the process with this id was there `then` and still is.

    Both times are to be asked now: when the clock is set, what processes are said to have started
    at moves with it.
    """
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= then
    except psutil.NoSuchProcess:
        return False


def _groups(processes: Iterable[psutil.Process]) -> set[int]:
    groups = set()
    for process in processes:
        with suppress(ProcessLookupError):
            groups.add(os.getpgid(process.pid))
    return groups


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
