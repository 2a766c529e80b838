"""Damaged files through the de-identifier, the decoder and the unpacker, in processes that may die.

Each input must be decoded or refused with the error that means quarantine, within `SECONDS` and
`MEMORY`. Everything else is a finding: another exception, a crash, a hang, too much memory.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from tasks.common.errors import DecodeError, SourceError
from tasks.common.params.pixels import PixelSettings
from tasks.imaging import burned_in_text
from tasks.imaging.deidentification import deidentify
from tasks.imaging.preparation import prepare
from tasks.privacy.pseudonyms import Pseudonyms
from tasks.sources import archive
from tests.fuzz import seeds
from tests.fuzz.mutate import mutated

SECONDS = 5.0
MEMORY = 1024**3  # bytes of a process, of which the libraries take a fifth
Check = Callable[[int], bool]
ARCHIVES = 20  # every so many inputs is an archive
PSEUDONYMS = Pseudonyms(b"a key of the tests")
SETTINGS = [PixelSettings(size=[32, 32], color=color, window=None) for color in ("grey", "rgb")]


class Finding(NamedTuple):
    """What went wrong with the input of a number; `input_of` makes that input again."""

    number: int
    problem: str


class Outcome(NamedTuple):
    """Findings, and how many inputs were decoded and how many refused."""

    findings: list[Finding]
    decoded: int
    refused: int


@cache
def _seeds() -> tuple[list[bytes], dict[str, bytes]]:
    return seeds.pictures(), seeds.archives()


def input_of(number: int) -> tuple[str, bytes]:
    """Suffix (of archives alone) and bytes of one input."""
    pictures, archives = _seeds()
    if number % ARCHIVES == 0:
        suffix = sorted(archives)[number // ARCHIVES % len(archives)]
        return suffix, mutated([archives[suffix]], number)
    return "", mutated(pictures, number)


def check(number: int) -> bool:
    """Whether the input was decoded; not so if it was refused.

    Raises:
        Exception: any that is not for quarantine.
    """
    suffix, content = input_of(number)
    if suffix:
        return _unpacks(suffix, content)
    try:
        with patch.object(burned_in_text, "has_text", return_value=False):  # all but the reading
            clean = deidentify(content, PSEUDONYMS, "detect")
    except DecodeError as error:
        _require_no_memory_error(error)
        clean = None
    decoded = False
    files = [content] if clean is None else [content, clean.content]
    for file, settings in itertools.product(files, SETTINGS):
        try:
            prepare(file, settings)
            decoded = True
        except DecodeError as error:
            _require_no_memory_error(error)
    return decoded


def _require_no_memory_error(error: DecodeError) -> None:
    """One that was caught means that the limit held, not the code."""
    if "MemoryError" in str(error):
        raise AssertionError("memory: an allocation failed")


def _unpacks(suffix: str, content: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"damaged{suffix}"
        path.write_bytes(content)
        try:
            archive.unpack(path)
        except SourceError:
            return False
    return True


def _work(check: Check, seconds: float, numbers: range, results: Connection) -> None:
    """Send (number, None) before an input and (number, outcome) after it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libjpeg and libpng print what they dislike
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 4 * MEMORY, used + 4 * MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in numbers:
        results.send((number, None))
        signal.setitimer(signal.ITIMER_REAL, seconds)  # its signal ends the process
        try:
            outcome: bool | str = check(number)
        except BaseException:
            outcome = traceback.format_exc(limit=-4)
        signal.setitimer(signal.ITIMER_REAL, 0)
        peak = _peak()
        results.send((number, f"memory: {peak / 2**20:.0f} MiB" if peak > MEMORY else outcome))
        if peak > MEMORY:
            return  # the peak would be seen again after each of the following


def _peak() -> int:
    """The most memory that this process has had, in bytes. Not `ru_maxrss`: a new process takes
    that of the one that started it over.
    """
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


class _Worker:
    """A process that takes every n-th number, started again after what it died of."""

    def __init__(self, check: Check, seconds: float, numbers: range) -> None:
        self.work = check, seconds
        self.left, self.current = numbers, -1
        self._start()

    def _start(self) -> None:
        spawning = multiprocessing.get_context("spawn")
        self.results, sending = spawning.Pipe(duplex=False)
        self.process = spawning.Process(
            target=_work, args=(*self.work, self.left, sending), daemon=True
        )
        self.process.start()
        sending.close()

    def receive(self) -> tuple[int, bool | str] | None:
        """The next outcome, or None where there is none yet."""
        try:
            number, outcome = self.results.recv()
        except EOFError:
            return self._died()
        self.current = number
        if outcome is None:
            return None
        self.left = self.left[self.left.index(number) + 1 :]
        self.current = -1
        return number, outcome

    def _died(self) -> tuple[int, bool | str] | None:
        self.process.join()
        code, number = self.process.exitcode, self.current
        if number >= 0:
            self.left = self.left[self.left.index(number) + 1 :]
        elif code:
            raise RuntimeError(f"a worker ended with {code} between two inputs")
        self.current = -1
        if self.left:
            self._start()
        if number < 0:
            return None
        hung = code == -signal.SIGALRM
        return number, "hang" if hung else f"crash: exit status {code}"


def run(
    inputs: int,
    processes: int = 2,
    first: int = 0,
    check: Check = check,
    seconds: float = SECONDS,
) -> Outcome:
    """Check the inputs of the numbers from `first` on, each within `seconds`."""
    numbers = range(first, first + inputs)
    shares = [numbers[n::processes] for n in range(min(processes, inputs))]
    workers = [_Worker(check, seconds, share) for share in shares]
    outcomes = dict(_outcomes(workers))
    findings = [Finding(n, text) for n, text in sorted(outcomes.items()) if isinstance(text, str)]
    decoded = sum(outcome is True for outcome in outcomes.values())
    return Outcome(findings, decoded, len(outcomes) - decoded - len(findings))


def _outcomes(workers: list[_Worker]) -> Iterator[tuple[int, bool | str]]:
    while waiting := {worker.results: worker for worker in workers if worker.left}:
        for ready in wait(list(waiting)):
            if (outcome := waiting[ready].receive()) is not None:
                yield outcome
    for worker in workers:
        worker.process.join()
