"""Progress of a long loop: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.progress import track

T = TypeVar("T")
EVERY_SECONDS = 5.0


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
