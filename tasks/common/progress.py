"""Progress of a long loop: a bar on a terminal, a line every few seconds in a log; and which of
many like lines, such as epochs, a person reads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.progress import track

T = TypeVar("T")
EVERY_SECONDS = 5.0
FIRST, EVERY, SILENCE_SECONDS = 5, 10, 10.0  # of epochs


def progress(items: Sequence[T], what: str) -> Iterator[T]:
    """Give the items one by one and show how many are done, e.g. `Reading images: 1200 of 5840`."""
    if sys.stdout.isatty():
        yield from track(items, what, transient=True)
        return
    shown = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - shown >= EVERY_SECONDS:
            shown = time.monotonic()
            print(f"{what}: {done:,} of {len(items):,}", flush=True)
        yield item


class Pace:
    """Which epochs are told: the first few, every tenth, the last, and after a silence the next."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def due(self, epoch: int, last: bool) -> bool:
        """Whether this one is told; `epoch` counts from 1."""
        silence = time.monotonic() - self._told
        told = last or epoch <= FIRST or epoch % EVERY == 0 or silence >= SILENCE_SECONDS
        if told:
            self._told = time.monotonic()
        return told
