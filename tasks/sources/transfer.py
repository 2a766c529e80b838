"""Downloading over HTTP that ends whole or with a clear error, whatever the connection does.

What came is checked by the source that knows its digests; here are the attempts, the waits between
them, stalled connections, free space, work in a few threads, and progress.
"""

from __future__ import annotations

import io
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event, Lock
from typing import BinaryIO, TypeVar

import psutil
import requests
import urllib3

from tasks.common.errors import SourceError
from tasks.common.progress import EVERY_SECONDS

ATTEMPTS = 5  # of one download, the first one included
BACKOFF_SECONDS = 2.0  # before the second attempt; it doubles with each further one
LONGEST_WAIT = 600.0  # seconds; a server that asks for more is left in peace until the next pull
TIMEOUT = (10.0, 60.0)  # seconds to connect, and without a byte
STALL_SECONDS, STALL_BYTES = 60.0, 60_000  # fewer bytes in that time is a stalled connection
WORKERS = 4  # downloads at a time: public archives are shared
MOST_FAILED = 8  # downloads that fail for good before the rest is left alone
CHUNK = 1 << 16
ANSWER_BYTES = 1 << 30  # at most, of an answer held in memory
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "medloop"}

T = TypeVar("T")


class AttemptError(Exception):
    """An attempt failed in a way that a further one may fix.

    Attributes:
        wait: seconds that the server asks to wait, or 0.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class RefusedError(SourceError):
    """The server refuses, and would do so again.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the server refuses with HTTP {status}")
        self.status = status


@dataclass
class Progress:
    """Bytes and pieces so far, from any thread; a line every few seconds."""

    what: str
    pieces: int
    done: int = 0
    received: int = 0
    _shown: float = field(default_factory=time.monotonic)
    _lock: Lock = field(default_factory=Lock)

    def add(self, size: int = 0, pieces: int = 0) -> None:
        """Count; a negative `size` takes back what a failed attempt had brought."""
        with self._lock:
            self.received += size
            self.done += pieces
            if time.monotonic() - self._shown >= EVERY_SECONDS:
                self._shown = time.monotonic()
                print(self, flush=True)

    def __str__(self) -> str:
        size = spell_size(self.received)
        return f"Downloading {self.what}: {self.done:,} of {self.pieces:,}, {size} received"


@dataclass
class Line:
    """The way to a server: bytes are counted, and setting `stop` ends it from another thread."""

    stop: Event = field(default_factory=Event)
    count: Callable[[int], None] = lambda size: None

    def read(self, url: str, params: Mapping[str, str]) -> bytes:
        """The answer to one GET, in one attempt.

        Raises:
            AttemptError: the attempt failed.
            SourceError: the server refuses.
        """
        answer = io.BytesIO()
        self._receive(url, params, answer, ANSWER_BYTES)
        return answer.getvalue()

    def save(self, url: str, params: Mapping[str, str], path: Path, limit: int) -> int:
        """Write the answer to one GET to `path` and give its size; more than `limit` bytes are
        refused, and so is what has no room on the disk. Errors as in `read`.
        """
        with path.open("wb") as file:
            return self._receive(url, params, file, limit, path.parent)

    def _receive(
        self,
        url: str,
        params: Mapping[str, str],
        sink: BinaryIO,
        limit: int,
        folder: Path | None = None,
    ) -> int:
        try:
            with requests.get(
                url, params=params, stream=True, timeout=TIMEOUT, headers=HEADERS
            ) as response:
                _check_status(response)
                if folder:
                    check_space(folder, int(response.headers.get("Content-Length") or 0))
                return self._copy(response, sink, limit)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Its own words hold the address and with it the id of a series.
            raise AttemptError(f"the connection failed ({type(error).__name__})") from None

    def _copy(self, response: requests.Response, sink: BinaryIO, limit: int) -> int:
        size = window = 0
        since = time.monotonic()
        try:
            # read1 gives what is there; a plain read waits for a full chunk and sees no stall.
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                sink.write(chunk)
                size, window = size + len(chunk), window + len(chunk)
                self.count(len(chunk))
                if size > limit:
                    raise AttemptError(f"more than {spell_size(limit)} came, which cannot be right")
                if time.monotonic() - since > STALL_SECONDS:
                    if window < STALL_BYTES:
                        raise AttemptError("the connection stalled")
                    since, window = time.monotonic(), 0
                self._check_stop()
        except BaseException:
            self.count(-size)
            raise
        return size

    def retrying(self, attempt: Callable[[], T]) -> T:
        """The result of `attempt`, made up to `ATTEMPTS` times.

        Raises:
            SourceError: the last attempt failed as well; the message is its reason.
        """
        for number in range(1, ATTEMPTS + 1):
            self._check_stop()
            try:
                return attempt()
            except AttemptError as fault:
                if fault.wait > LONGEST_WAIT:
                    raise SourceError(f"{fault} and asks for {fault.wait:,.0f} seconds") from None
                if number == ATTEMPTS:
                    raise SourceError(f"{fault}, in {ATTEMPTS} attempts") from None
                self.stop.wait(max(fault.wait, BACKOFF_SECONDS * 2 ** (number - 1)))
        raise AssertionError("ATTEMPTS is below 1")

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise SourceError("stopped")


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status in (408, 425, 429) or status >= 500:
        raise AttemptError(f"the server answers HTTP {status}", _retry_after(response))
    if status >= 400:
        raise RefusedError(status)


def _retry_after(response: requests.Response) -> float:
    """Seconds of a Retry-After header, which holds a number of them or a date (RFC 9110)."""
    text = response.headers.get("Retry-After", "")
    if text.strip().isdigit():
        return float(text)
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return 0.0


def each(pieces: Sequence[T], do: Callable[[T], None], stop: Event) -> Counter[str]:
    """Do every piece, `WORKERS` at a time, and give the failures for good, counted by reason.

    After `MOST_FAILED` of them the rest is not begun: the server has a bad day.
    """
    failures: Counter[str] = Counter()
    with ThreadPoolExecutor(WORKERS) as workers:
        running: set[Future[None]] = {workers.submit(do, piece) for piece in pieces}
        try:
            while running and failures.total() < MOST_FAILED:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    failures.update(_failure(future))
        finally:
            if running:
                stop.set()
                workers.shutdown(cancel_futures=True)
    return failures


def _failure(future: Future[None]) -> list[str]:
    try:
        future.result()
    except SourceError as error:
        return [str(error)]
    return []


def check_space(folder: Path, needed: int) -> None:
    """Hold the free space of the disk of `folder` to what is needed in bytes.

    Raises:
        SourceError: there is less.
    """
    there = next(parent for parent in (folder, *folder.resolve().parents) if parent.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise SourceError(
            f"required: {spell_size(needed)} of free disk space for the download; received: "
            f"{spell_size(free)} at {there}. Free some, set MEDLOOP_STATE to a folder on a larger "
            "disk, or choose less in params.yaml"
        )


def draft_folder(root: Path) -> Path:
    """A new folder of this process under `root` for what is not whole yet; those of processes
    that are gone are removed.
    """
    for old in root.glob(".draft.*"):
        if not psutil.pid_exists(int(old.suffix[1:])):
            shutil.rmtree(old, ignore_errors=True)
    draft = root / f".draft.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    return draft


def base_url(variable: str, default: str) -> str:
    """The address of a service without a last slash: `$variable`, for a mirror, or the default.

    Raises:
        SourceError: it is no http address.
    """
    url = os.environ.get(variable) or default
    if not url.startswith(("http://", "https://")):
        raise SourceError(f"{variable} must be an http or https address; received {url!r}")
    return url.rstrip("/")


def spell_size(size: float) -> str:
    """Bytes for people: `19.1 GB`, `34 MB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size:,.0f} bytes"
